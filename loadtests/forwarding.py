"""Events a second, CPU an event and memory of `python -m forwarder` on one core, beside a client that only posts.

    python -m loadtests.forwarding --events 1000000 --log embedded --json forwarding.json --picture lag.png

The log is filled first, a tenth as many visitors as events, so the forwarder starts that far behind. It is pinned to
one core, the vendor (loadtests/sink.py) to another; `sink` is how busy that core was: near 100 % it is the sink that was
measured. The bare client posts a Footprints call's bytes from the forwarder's core: the targets were set where it makes
14,600 calls a second, so its figures are the yardstick elsewhere. The lag falls steadily when the slowest five seconds
bring half of what the median five bring, at least; the time that it stood ready while others had its core is not counted.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import socket
import statistics
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
from forwarder.destinations.base import Call
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from loadtests.filling import LogOptions, an_event, fill
from loadtests.machine import cpu_seconds, describe, resident_mb
from loadtests.picture import Stamp, canvas, save

HOST = "127.0.0.1"
FORWARDER_CORE, SINK_CORE = 1, 2
READY_DEADLINE, STOP_DEADLINE = 30.0, 15.0  # seconds
SAMPLE_SECONDS = 0.5
BARE_CALLS = 20_000
STALLED = 30.0  # seconds without an event: then the run is over
MEMORY_TARGET = 250.0  # MB
TARGETS = {"netcore": 30_000.0, "footprints": 6_000.0}
TARGETS_BARE = 14_600.0  # calls a second of the bare client where these were set (design.md, section 4)
STEADY = 0.5
KEYS = {"OCHN_KEYS__BENCH__VALUES": '["bench"]'}


@dataclass(frozen=True)
class Row:
    """`ratio`: events for the CPU time of one call of the bare client, on the same core in the same run; `target_ratio`:
    where the target was set."""

    line: str
    log: str
    events: int
    events_per_second: float
    target: float
    bare_per_second: float
    ratio: float
    target_ratio: float
    cpu_us_per_event: float
    bare_cpu_us: float
    memory_mb: float
    slowest_5s: float  # events/s
    median_5s: float
    steady: bool  # the lag falls
    sink: float  # share of its core
    backwards: int  # events that came before an earlier one of their visitor
    again: int
    verdict: str


@dataclass(frozen=True)
class Sample:
    at: float
    events: int
    cpu: float
    stood: float  # seconds so far that it was ready to run and others had its core
    sink_cpu: float
    memory_mb: float


def measure(kind: str, options: LogOptions, core: int = FORWARDER_CORE) -> tuple[Row, list[Sample]]:
    """One destination, from `options.events` behind to none."""
    with sink() as (port, sink_pid), forwarder({**options.environ(), **destination(kind, port)}, core) as pid:
        samples = watched(options.events, port, pid, sink_pid)
        came = figures(port)
    return row(kind, options, samples, came, bare_figures(core)), samples


def row(
    kind: str, options: LogOptions, samples: list[Sample], came: Mapping[str, int], bare: Mapping[str, float]
) -> Row:
    first = next(sample for sample in samples if sample.events)
    last = samples[-1]
    events, seconds = last.events - first.events, last.at - first.at
    rate, memory = events / seconds, max(sample.memory_mb for sample in samples)
    cpu = (last.cpu - first.cpu) / events * 1e6
    ratio, target_ratio = bare["cpu_us_per_event"] / cpu, TARGETS[kind] / TARGETS_BARE
    slowest, median = min(stretches(samples)), statistics.median(stretches(samples))
    whole = came["events"] == options.events and not came.get("backwards")
    reached = ratio >= target_ratio and memory <= MEMORY_TARGET and slowest >= STEADY * median
    return Row(
        line=kind,
        log=options.kind,
        events=came["events"],
        events_per_second=round(rate),
        target=TARGETS[kind],
        bare_per_second=round(bare["events_per_second"]),
        ratio=round(ratio, 2),
        target_ratio=round(target_ratio, 2),
        cpu_us_per_event=round(cpu, 1),
        bare_cpu_us=round(bare["cpu_us_per_event"], 1),
        memory_mb=round(memory),
        slowest_5s=round(slowest),
        median_5s=round(median),
        steady=slowest >= STEADY * median,
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
        took = (cpu_seconds(pid), stood_seconds(pid), cpu_seconds(sink_pid))
        samples.append(Sample(time.monotonic(), events, *took, resident_mb(pid)))
    return samples


def stretches(samples: list[Sample]) -> list[float]:
    """Events for each second that it had its core, or had no use for it, of each five seconds between the first event
    and the last; a run that is shorter is one stretch."""
    moving = [sample for sample in samples if sample.events]
    step = min(int(5 / SAMPLE_SECONDS), len(moving) - 1)
    pairs = zip(moving, moving[step:], strict=False)
    return [
        (after.events - before.events) / max(SAMPLE_SECONDS, after.at - before.at - (after.stood - before.stood))
        for before, after in pairs
    ]


def stood_seconds(pid: int) -> float:
    """Of its main thread, as Linux tells it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


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


def bare_figures(core: int) -> dict[str, float]:
    """What a client achieves that has the bytes of a Footprints call ready."""
    with sink() as (port, _), tempfile.NamedTemporaryFile() as file:
        call = a_call(port)
        Path(file.name).write_bytes(call.request.body)
        numbers = (str(BARE_CALLS), "1", "16")
        command = [sys.executable, "-m", "loadtests.bare_client", call.request.url, file.name, *numbers]
        with pinned(command, core, {}, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            found: dict[str, float] = json.loads(process.stdout.read())
    return found


class Nothing:
    """No facts but the id that the sink gave."""

    def get(self, key: str) -> dict[str, Any] | None:
        return {"id": "70" + "0" * 62, "utype": "p", "contact": {}} if key.endswith("/upstream") else None


def a_call(port: int) -> Call:
    """As the forwarder would make it."""
    wanted = FootprintsSettings.model_validate({"kind": "footprints", "base_url": f"http://{HOST}:{port}/footprints"})
    now = time.time()
    made = Footprints("footprints", wanted, {"bench": "bench"})
    return made.plan([Event.from_bytes(an_event(0, 0, now))], Nothing(), now).calls[0]


def table(rows: list[Row]) -> Table:
    shown = Table(*(name.replace("_per_", "/").replace("_", " ") for name in Row.__annotations__), box=None)
    for row in rows:
        shown.add_row(
            *(
                f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
                for value in asdict(row).values()
            )
        )
    return shown


def draw(runs: list[tuple[Row, list[Sample]]], command: str, path: Path) -> None:
    """How the lag falls."""
    figure, axes = canvas(1, len(runs), width=max(11, 6 * len(runs)), height=4)
    for ax, (one, samples) in zip(axes.flat, runs, strict=True):
        lag = [max(sample.events for sample in samples) - sample.events for sample in samples]
        ax.plot([sample.at - samples[0].at for sample in samples], lag)
        ax.set(title=f"{one.line}, {one.log}", xlabel="seconds", ylabel="events behind")
        ax.set_ylim(bottom=0)
    save(figure, "From far behind to none", Stamp(describe(command)), path)


def bench_forwarding(options: LogOptions, kinds: list[str]) -> list[tuple[Row, list[Sample]]]:
    """A row for each destination, with its samples; the log is `options`', filled here."""
    asyncio.run(fill(options))
    return [measure(kind, options) for kind in kinds]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="How fast one forwarder is on one core, beside a bare client.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--log", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--kafka", default="127.0.0.1:9092", metavar="HOST:PORT")
    parser.add_argument("--kinds", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the lag over time there")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ochn-bench-") as data:
        runs = bench_forwarding(LogOptions(given.log, given.kafka, Path(data), given.events), given.kinds)
    rows = [one for one, _ in runs]
    Console(width=240).print(table(rows))
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in rows], indent=2))
    if given.picture:
        draw(runs, shlex.join(["python", "-m", "loadtests.forwarding", *arguments]), given.picture)


if __name__ == "__main__":
    main(sys.argv[1:])
