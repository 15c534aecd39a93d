"""Events a second, CPU an event and memory of `python -m forwarder` on one core, beside a client that only posts.

    python -m loadtests.forwarding --events 1000000 --log embedded --json forwarding.json --picture lag.png

The log is filled first, a tenth as many visitors as events, so the forwarder starts that far behind. It is pinned to
one core, the vendor (loadtests/sink.py) to another; `sink` is how busy that core was: near 100 % it is the sink that was
measured. Four times a second it stands still, and the bare client posts a Footprints call's bytes from its core: the
targets were set where that makes 14,600 calls a second, so what a call costs is the yardstick elsewhere. The lag falls steadily when the slowest five seconds
bring half of what the median five bring, at least; the time that it stood ready while others had its core is not counted.
"""

import argparse
import asyncio
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.filling import LogOptions, fill
from loadtests.machine import cpu_seconds, describe, resident_mb
from loadtests.options import file
from loadtests.picture import Stamp, canvas, save
from loadtests.pinned import FORWARDER_CORE, bare_client, destination, figures, forwarder, sink, standing_still
from loadtests.slices import SLICE_SECONDS, Sample, bare_us, ratio, ratios, stretches

STALLED = 30.0  # seconds without an event: then the run is over
MEMORY_TARGET = 250.0  # MB
TARGETS = {"netcore": 30_000.0, "footprints": 6_000.0}
TARGETS_BARE = 14_600.0  # calls a second of the bare client where these were set (design.md, section 4)
STEADY = 0.5


@dataclass(frozen=True)
class Row:
    """`ratio`: events for the CPU time of one call of the bare client, on the same core in the same moments, and `ratios`
    the least and the most of a tenth of the run; `target_ratio`: where the target was set."""

    line: str
    log: str
    events: int
    events_per_second: float
    target: float
    ratio: float
    ratios: tuple[float, float]
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


def measure(kind: str, options: LogOptions, core: int = FORWARDER_CORE) -> tuple[Row, list[Sample]]:
    """One destination, from `options.events` behind to none."""
    with (
        sink() as (port, sink_pid),
        bare_client(core) as bare,
        forwarder({**options.environ(), **destination(kind, port)}, core) as pid,
    ):
        samples = watched(options.events, port, pid, sink_pid, bare)
        came = figures(port)
    return row(kind, options, samples, came), samples


def row(kind: str, options: LogOptions, samples: list[Sample], came: Mapping[str, int]) -> Row:
    first, last = samples[0], samples[-1]
    events, seconds = last.events - first.events, last.at - first.at
    rate, memory = events / seconds, max(sample.memory_mb for sample in samples)
    cpu = (last.cpu - first.cpu) / events * 1e6
    of_bare, parts, target_ratio = ratio(samples), ratios(samples), TARGETS[kind] / TARGETS_BARE
    slowest, median = min(stretches(samples)), statistics.median(stretches(samples))
    whole = came["events"] == options.events and not came.get("backwards")
    reached = of_bare >= target_ratio and memory <= MEMORY_TARGET and slowest >= STEADY * median
    return Row(
        line=kind,
        log=options.kind,
        events=came["events"],
        events_per_second=round(rate),
        target=TARGETS[kind],
        ratio=round(of_bare, 2),
        ratios=(round(min(parts), 2), round(max(parts), 2)),
        target_ratio=round(target_ratio, 2),
        cpu_us_per_event=round(cpu, 1),
        bare_cpu_us=round(bare_us(samples), 1),
        memory_mb=round(memory),
        slowest_5s=round(slowest),
        median_5s=round(median),
        steady=slowest >= STEADY * median,
        sink=round((last.sink_cpu - first.sink_cpu) / seconds, 2),
        backwards=came.get("backwards", 0),
        again=came.get("again", 0),
        verdict="NOT WHOLE" if not whole else "reached" if reached else "below",
    )


def watched(goal: int, port: int, pid: int, sink_pid: int, bare: Callable[[], float]) -> list[Sample]:
    """From the first event on, until all have come or none comes any more."""
    samples: list[Sample] = []
    ran, moved = 0.0, time.monotonic()
    while time.monotonic() - moved < STALLED and not (samples and samples[-1].events >= goal):
        began = time.monotonic()
        time.sleep(SLICE_SECONDS)
        with standing_still(pid):
            ran += time.monotonic() - began
            if not (events := figures(port).get("events", 0)):
                continue
            if not samples or events > samples[-1].events:
                moved = time.monotonic()
            took = (cpu_seconds(pid), stood_seconds(pid), cpu_seconds(sink_pid))
            samples.append(Sample(ran, events, *took, resident_mb(pid), bare()))
    return samples


def stood_seconds(pid: int) -> float:
    """Of its main thread, as Linux tells it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


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
    parser.add_argument("--json", type=file, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--picture", type=file, metavar="FILE", help="draw the lag over time there")
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
