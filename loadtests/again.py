"""How many events a far-behind destination gets twice when something happens to its forwarder.

    python -m loadtests.again --log kafka --troubles kill freeze rebalance

Each trouble has a log of its own: filled first, then a forwarder on one core and the vendor (loadtests/sink.py) on
another, and when a third of the events have come: `kill` is kill -9 of the forwarder and its start, three times;
`freeze` stops the broker for longer than a session, twice; `rebalance` is a second forwarder that comes and goes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.filling import LogOptions, fill
from loadtests.forwarding import STALLED, TARGETS
from loadtests.options import file
from loadtests.pinned import FORWARDER_CORE, SINK_CORE, destination, figures, forwarder, sink
from tests.support.kafka import KafkaServer

KILLS, FREEZES = 3, 2
FROZEN = 14.0  # seconds: more than a session of ten
BESIDE = 8.0  # seconds that the second forwarder works
PAUSE = 1.5  # seconds from one trouble to the next, of going on
NOWHERE = "127.0.0.1:1"
LOGS = {"embedded": ("kill",), "kafka": ("kill", "freeze", "rebalance")}


@dataclass(frozen=True)
class Row:
    """`again`: events that came once more than once, of all troubles together."""

    destination: str
    log: str
    trouble: str
    times: int
    events: int
    again: int
    verdict: str


@dataclass
class Stand:
    """`start` begins one more forwarder on the same log and returns its pid; `data` is its folder's name."""

    kind: str
    options: LogOptions
    port: int
    broker: KafkaServer | None
    running: dict[int, contextlib.ExitStack]

    def start(self, data: str = "") -> int:
        environ = {**self.options.environ(), **destination(self.kind, self.port)}
        if data:
            environ["OCHN_DATA_DIR"] = str(self.options.data / data)
        stack = contextlib.ExitStack()
        pid = stack.enter_context(forwarder(environ, FORWARDER_CORE))
        self.running[pid] = stack
        return pid

    def stop(self, pid: int) -> None:
        self.running.pop(pid).close()

    def came(self) -> int:
        return figures(self.port).get("events", 0)

    def until(self, events: int) -> None:
        """So many have come, or none comes any more."""
        seen, moved = self.came(), time.monotonic()
        while seen < events and time.monotonic() - moved < STALLED:
            time.sleep(0.05)
            if (now := self.came()) > seen:
                seen, moved = now, time.monotonic()


def kill(stand: Stand) -> int:
    for _ in range(KILLS):
        pid = next(iter(stand.running))
        os.kill(pid, signal.SIGKILL)
        stand.stop(pid)
        before = stand.came()
        stand.start()
        stand.until(before + 1)
        time.sleep(PAUSE)
    return KILLS


def freeze(stand: Stand) -> int:
    assert stand.broker is not None
    for _ in range(FREEZES):
        os.kill(stand.broker.pid, signal.SIGSTOP)
        time.sleep(FROZEN)
        before = stand.came()
        os.kill(stand.broker.pid, signal.SIGCONT)
        stand.until(before + 1)
        time.sleep(PAUSE)
    return FREEZES


def rebalance(stand: Stand) -> int:
    beside = stand.start("beside")
    time.sleep(BESIDE)
    stand.stop(beside)
    return 2


TROUBLES: dict[str, Callable[[Stand], int]] = {"kill": kill, "freeze": freeze, "rebalance": rebalance}


def measure(kind: str, trouble: str, options: LogOptions, broker: KafkaServer | None) -> Row:
    asyncio.run(fill(options))
    with sink(SINK_CORE) as (port, _), standing(Stand(kind, options, port, broker, {})) as stand:
        stand.until(options.events // 3)
        times = TROUBLES[trouble](stand)
        stand.until(options.events)
        time.sleep(PAUSE)  # for what comes again after all
        found = figures(port)
    whole = found["events"] == options.events
    return Row(kind, options.kind, trouble, times, found["events"], found.get("again", 0), "" if whole else "NOT WHOLE")


@contextlib.contextmanager
def standing(stand: Stand) -> Iterator[Stand]:
    stand.start()
    try:
        yield stand
    finally:
        for pid in list(stand.running):
            stand.stop(pid)


@contextlib.contextmanager
def a_broker(kind: str, directory: Path) -> Iterator[KafkaServer | None]:
    if kind == "embedded":
        yield None
        return
    with KafkaServer(directory) as broker:
        yield broker


def table(rows: list[Row]) -> Table:
    shown = Table(*Row.__annotations__, box=None)
    for row in rows:
        shown.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in asdict(row).values()))
    return shown


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="What comes twice when something happens to the forwarder.")
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--log", choices=sorted(LOGS), default="kafka")
    parser.add_argument("--kinds", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--troubles", nargs="+", choices=sorted(TROUBLES), help="default: all that the log knows")
    parser.add_argument("--json", type=file, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory(prefix="ochn-again-") as folder, a_broker(given.log, Path(folder, "k")) as broker:
        address = broker.bootstrap if broker else NOWHERE
        for kind in given.kinds:
            for trouble in given.troubles or LOGS[given.log]:
                options = LogOptions(given.log, address, Path(folder, f"{kind}-{trouble}"), given.events)
                rows.append(measure(kind, trouble, options, broker))
                print(rows[-1], file=sys.stderr, flush=True)
    Console(width=120).print(table(rows))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
