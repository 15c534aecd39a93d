"""One line an event: what came, where it went, what was filtered and why.

Children tell of events in their logs (`event.received`, `event.settled`); this joins the two by the event's id. A line
is drawn when every destination has spoken, or after a while without those that have not. Above a rate that eyes can
follow, a line a second counts instead.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

from base.clock import Clock

PATIENCE = 3.0  # seconds a line waits for its outcomes
RATE = 40  # lines a second that are still drawn one by one
RELIEFS = (
    "spool_half_open",
    "spool_closed",
)  # that a trouble is over; of its own the supervisor tells all, they are few
HELD = 10_000  # lines that may wait; beyond, they are drawn as they are

_COLOURS = {"delivered": "green", "filtered": "bright_black", "parked": "yellow", "dead": "red"}


@dataclass(slots=True)
class _Line:
    received: Mapping[str, Any]
    since: float
    outcomes: dict[str, Mapping[str, Any]] = field(default_factory=dict)


class Live:
    def __init__(self, destinations: frozenset[str], console: Console, clock: Clock) -> None:
        self._destinations = destinations
        self._console = console
        self._clock = clock
        self._waiting: dict[str, _Line] = {}
        self._second = 0
        self._drawn = 0
        self._counted: Counter[str] = Counter()

    def line(self, text: str) -> None:
        """One line of a child's log."""
        try:
            entry = orjson.loads(text)
            event = entry["event"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._console.print(Text(text), soft_wrap=True)
            return
        if event == "event.received":
            self._received(entry)
        elif event == "event.settled":
            self._settled(entry)
        elif entry.get("level") not in ("debug", "info") or entry.get("process") == "ochn" or event in RELIEFS:
            self._console.print(_entry(entry), soft_wrap=True)

    def _received(self, entry: Mapping[str, Any]) -> None:
        line = _Line(entry, self._clock.monotonic())
        if entry.get("verdict") != "accepted" or not self._destinations or len(self._waiting) >= HELD:
            self._draw(line)
        else:
            self._waiting[entry["id"]] = line

    def _settled(self, entry: Mapping[str, Any]) -> None:
        line = self._waiting.get(entry["id"])
        if line is None:  # drawn already, or received before this start
            self._draw(_Line({**entry, "verdict": "later"}, 0.0, {entry["destination"]: entry}))
            return
        line.outcomes[entry["destination"]] = entry
        if line.outcomes.keys() >= self._destinations:
            self._draw(self._waiting.pop(entry["id"]))

    def tick(self) -> None:
        """Called a few times a second: draws what has waited long enough, and the counts of a busy second."""
        now = self._clock.monotonic()
        for event_id in [key for key, line in self._waiting.items() if now - line.since > PATIENCE]:
            self._draw(self._waiting.pop(event_id))
        if int(now) != self._second:
            if self._counted:
                counts = ", ".join(f"{count} {what}" for what, count in self._counted.most_common())
                self._console.print(Text(f"          … and {counts}", style="bright_black"))
                self._counted.clear()
            self._second, self._drawn = int(now), 0

    def _draw(self, line: _Line) -> None:
        if self._drawn >= RATE:
            self._counted[line.received.get("verdict", "later")] += 1
            return
        self._drawn += 1
        self._console.print(_drawing(line), soft_wrap=True)


def _drawing(line: _Line) -> Text:
    entry = line.received
    text = Text()
    text.append(str(entry.get("timestamp", ""))[11:19] + "  ", style="bright_black")
    text.append(f"{str(entry.get('type', '')).removeprefix('ochn.'):<19}", style="bold")
    text.append(f"{str(entry.get('subject', ''))[:12]:<13}", style="cyan")
    if entry.get("verdict") == "quarantined":
        text.append(f"quarantined: {', '.join(entry.get('reasons', ()))}  ", style="magenta")
        text.append(f"see: ochn quarantine show {entry.get('id')}  ", style="bright_black")
    for name, outcome in sorted(line.outcomes.items()):
        kind = str(outcome.get("outcome"))
        why = f" ({outcome['reason']})" if outcome.get("reason") else ""
        text.append(f"{name} {kind}{why}  ", style=_COLOURS.get(kind, ""))
    if entry.get("verdict") == "accepted" and not line.outcomes:
        text.append("durable; not delivered yet: ochn status says why  ", style="yellow")
    if entry.get("warnings"):
        text.append(f"warned: {', '.join(map(str, entry['warnings']))}", style="yellow")
    text.rstrip()
    return text


def _entry(entry: Mapping[str, Any]) -> Text:
    known = ("event", "level", "timestamp", "process")
    fields = "  ".join(f"{name}={value}" for name, value in entry.items() if name not in known and value != "")
    style = {"info": "", "warning": "yellow"}.get(str(entry.get("level")), "red")
    return Text(
        f"{str(entry.get('timestamp', ''))[11:19]}  {entry.get('process', '')}: {entry['event']}  {fields}", style
    )
