"""Events a second, CPU an event and memory of `python -m forwarder` on one core, beside a client that only posts.

    python -m loadtests.forwarding --events 1000000 --log embedded --json forwarding.json

The log is filled first, a tenth as many visitors as events, so the forwarder starts that far behind. It is pinned to
one core, the vendor (loadtests/sink.py) to another; `sink` is how busy that core was: near 100 % it is the sink that was
measured. The bare client posts the same bytes from the forwarder's core, so its figures are the yardstick where the
machine is not that of the target.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from eventlog.event import Event
from forwarder.destinations.base import Call, Destination
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from forwarder.destinations.netcore import Netcore, NetcoreSettings
from loadtests.filling import LogOptions, an_event, fill

HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
FORWARDER_CORE, SINK_CORE = 1, 2
READY_DEADLINE, STOP_DEADLINE = 30.0, 15.0  # seconds
SAMPLE_SECONDS = 0.5
STALLED = 30.0  # seconds without an event: then the run is over
MEMORY_TARGET = 250.0  # MB
TARGETS = {"netcore": 30_000.0, "footprints": 6_000.0}
KEYS = {"OCHN_KEYS__BENCH__VALUES": '["bench"]'}


@dataclass(frozen=True)
class Row:
    """`ratio`: of the bare client's events a second, on the same core in the same run."""

    line: str
    log: str
    events: int
    events_per_second: float
    target: float
    bare_per_second: float
    ratio: float
    cpu_us_per_event: float
    bare_cpu_us: float
    memory_mb: float
    slowest_second: float  # events/s in the slowest five seconds: does the lag fall steadily?
    sink: float  # share of its core
    backwards: int  # events that came before an earlier one of their visitor
    again: int
    verdict: str


@dataclass(frozen=True)
class Sample:
    at: float
    events: int
    cpu: float
    sink_cpu: float
    memory_mb: float


def measure(kind: str, options: LogOptions, core: int = FORWARDER_CORE) -> Row:
    """One destination, from `options.events` behind to none."""
    with sink() as (port, sink_pid), forwarder({**options.environ(), **destination(kind, port)}, core) as pid:
        samples = watched(options.events, port, pid, sink_pid)
        came = figures(port)
    bare = bare_figures(kind, core)
    first = next(sample for sample in samples if sample.events)
    last = samples[-1]
    events, seconds = last.events - first.events, last.at - first.at
    rate, memory = events / seconds, max(sample.memory_mb for sample in samples)
    whole = came["events"] == options.events and not came.get("backwards")
    reached = rate >= TARGETS[kind] and memory <= MEMORY_TARGET
    return Row(
        line=kind,
        log=options.kind,
        events=came["events"],
        events_per_second=round(rate),
        target=TARGETS[kind],
        bare_per_second=round(bare["events_per_second"]),
        ratio=round(rate / bare["events_per_second"], 2),
        cpu_us_per_event=round((last.cpu - first.cpu) / events * 1e6, 1),
        bare_cpu_us=round(bare["cpu_us_per_event"], 1),
        memory_mb=round(memory),
        slowest_second=round(slowest(samples)),
        sink=round((last.sink_cpu - first.sink_cpu) / seconds, 2),
        backwards=came.get("backwards", 0),
        again=came.get("again", 0),
        verdict="NOT WHOLE" if not whole else "reached" if reached else "below",
    )


def watched(goal: int, port: int, pid: int, sink_pid: int) -> list[Sample]:
    """Until all have come, or none comes any more."""
    samples: list[Sample] = []
    moved = time.monotonic()
    while not samples or (samples[-1].events < goal and time.monotonic() - moved < STALLED):
        time.sleep(SAMPLE_SECONDS)
        events = figures(port).get("events", 0)
        if not samples or events > samples[-1].events:
            moved = time.monotonic()
        samples.append(Sample(time.monotonic(), events, cpu_seconds(pid), cpu_seconds(sink_pid), memory_mb(pid)))
    return samples


def slowest(samples: list[Sample]) -> float:
    """Events a second of the slowest stretch of five seconds between the first event and the last; a run that is
    shorter is one stretch."""
    moving = [sample for sample in samples if sample.events]
    step = min(int(5 / SAMPLE_SECONDS), len(moving) - 1)
    stretches = zip(moving, moving[step:], strict=False)
    return min((after.events - before.events) / (after.at - before.at) for before, after in stretches)


def cpu_seconds(pid: int) -> float:
    """User and system time so far."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS


def memory_mb(pid: int) -> float:
    """Resident."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def figures(port: int) -> dict[str, int]:
    with urlopen(f"http://{HOST}:{port}/figures", timeout=10) as reply:
        found: dict[str, int] = json.load(reply)
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def sink(core: int = SINK_CORE) -> Iterator[tuple[int, int]]:
    """Port and pid."""
    port = free_port()
    with pinned([sys.executable, "-m", "loadtests.sink", str(port)], core, {}) as process:
        until = time.monotonic() + READY_DEADLINE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                figures(port)
                break
            time.sleep(0.05)
        yield port, process.pid


@contextlib.contextmanager
def forwarder(environ: Mapping[str, str], core: int) -> Iterator[int]:
    """Its pid, once it relays."""
    command = [sys.executable, "-m", "forwarder"]
    with pinned(command, core, {"OCHN_ADMIN__PORT": "0", **KEYS, **environ}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


@contextlib.contextmanager
def pinned(
    command: list[str], core: int, environ: Mapping[str, str], stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Stopped in order afterwards."""
    root = Path(__file__).parent.parent
    taskset = ["taskset", "-c", str(core), *command]
    with subprocess.Popen(taskset, env=os.environ | dict(environ), cwd=root, stdout=stdout) as process:
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_DEADLINE)
            process.kill()


def destination(kind: str, port: int) -> dict[str, str]:
    """Settings for a forwarder whose one destination is the sink."""
    given = {"kind": kind, "base_url": f"http://{HOST}:{port}/{kind}"}
    if kind == "netcore":
        given |= {"api_key": "bench", "web_asset_id": "web"}
    return {f"OCHN_DESTINATIONS__{kind.upper()}__{name.upper()}": value for name, value in given.items()}


def bare_figures(kind: str, core: int) -> dict[str, float]:
    """What a client achieves that has the bytes ready."""
    with sink() as (port, _), tempfile.NamedTemporaryFile() as file:
        call = a_call(kind, port)
        Path(file.name).write_bytes(call.request.body)
        numbers = (str(20_000 // len(call.events) + 100), str(len(call.events)), "16")
        command = [sys.executable, "-m", "loadtests.bare_client", call.request.url, file.name, *numbers]
        with pinned(command, core, {}, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            found: dict[str, float] = json.loads(process.stdout.read())
    return found


class Nothing:
    """No facts but the id that the sink gave."""

    def get(self, key: str) -> dict[str, Any] | None:
        return {"id": "70" + "0" * 62, "utype": "p", "contact": {}} if key.endswith("/upstream") else None


def a_call(kind: str, port: int) -> Call:
    """As the forwarder would make it, as full as it can be."""
    given = {"kind": kind, "base_url": f"http://{HOST}:{port}/{kind}", "api_key": "bench", "web_asset_id": "web"}
    made: Destination
    if kind == "netcore":
        made = Netcore(kind, NetcoreSettings.model_validate(given))
    else:
        wanted = FootprintsSettings.model_validate({name: given[name] for name in ("kind", "base_url")})
        made = Footprints(kind, wanted, {"bench": "bench"})
    now = time.time()
    events = [Event.from_bytes(an_event(number, number, now)) for number in range(made.batch.events)]
    return made.plan(events, Nothing(), now).calls[0]


def table(rows: list[Row]) -> Table:
    shown = Table(*(name.replace("_per_", "/").replace("_", " ") for name in Row.__annotations__), box=None)
    for row in rows:
        shown.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in asdict(row).values()))
    return shown


def bench_forwarding(options: LogOptions, kinds: list[str]) -> list[Row]:
    """A row for each destination; the log is `options`', filled here."""
    asyncio.run(fill(options))
    return [measure(kind, options) for kind in kinds]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="How fast one forwarder is on one core, beside a bare client.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--log", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT")
    parser.add_argument("--kinds", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ochn-bench-") as data:
        rows = bench_forwarding(LogOptions(given.log, given.kafka, Path(data), given.events), given.kinds)
    Console(width=200).print(table(rows))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
