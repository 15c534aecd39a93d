"""The lines of `ochn dev`: received and settled joined by id, bounded when it gets busy."""

import io
from typing import Any

import orjson
from rich.console import Console

from base.clock import ManualClock
from ochn.serving.live import PATIENCE, RATE, Live


class Screen:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.out = io.StringIO()
        console = Console(file=self.out, width=200, highlight=False)
        self.live = Live(frozenset({"footprints", "netcore"}), console, self.clock)

    def received(self, event_id: str, **more: Any) -> None:
        self._say(event="event.received", id=event_id, type="ochn.web.visit", subject="p" * 64, **more)

    def settled(self, event_id: str, destination: str, outcome: str, reason: str = "") -> None:
        self._say(event="event.settled", id=event_id, destination=destination, outcome=outcome, reason=reason)

    def _say(self, **entry: Any) -> None:
        self.live.line(orjson.dumps({"level": "info", "timestamp": "2026-11-21T10:00:00Z", **entry}).decode())

    @property
    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()


def test_one_line_once_every_destination_has_spoken() -> None:
    screen = Screen()
    screen.received("1", verdict="accepted")
    screen.settled("1", "footprints", "delivered")
    assert screen.lines == []
    screen.settled("1", "netcore", "filtered", "high_volume")
    assert len(screen.lines) == 1
    assert "web.visit" in screen.lines[0]
    assert "footprints delivered" in screen.lines[0]
    assert "netcore filtered (high_volume)" in screen.lines[0]


def test_a_line_waits_so_long_and_the_late_outcome_gets_its_own() -> None:
    screen = Screen()
    screen.received("1", verdict="accepted")
    screen.clock.advance(PATIENCE + 1)
    screen.live.tick()
    assert "not delivered yet" in screen.lines[0]
    screen.settled("1", "netcore", "dead", "refused")
    assert "netcore dead (refused)" in screen.lines[1]


def test_quarantined_is_told_at_once_with_the_way_to_look() -> None:
    screen = Screen()
    screen.received("abc", verdict="quarantined", reasons=["rating_out_of_range"])
    assert "rating_out_of_range" in screen.lines[0]
    assert "ochn quarantine show abc" in screen.lines[0]


def test_a_busy_second_is_counted_not_drawn() -> None:
    screen = Screen()
    for n in range(RATE + 25):
        screen.received(str(n), verdict="quarantined", reasons=["rating_out_of_range"])
    assert len(screen.lines) == RATE
    screen.clock.advance(1.1)
    screen.live.tick()
    assert "25 quarantined" in screen.lines[-1]


def test_warnings_of_children_are_shown_and_what_is_no_entry_too() -> None:
    screen = Screen()
    screen.live.line(orjson.dumps({"event": "spool.open", "level": "warning", "process": "collector-0"}).decode())
    screen.live.line("Fatal Python error")
    assert "collector-0: spool.open" in screen.lines[0]
    assert screen.lines[1] == "Fatal Python error"
