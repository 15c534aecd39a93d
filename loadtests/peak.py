"""`make bench`: how much one collector takes, how long people wait, what it costs; each figure beside the bare limit.

    python -m loadtests.peak --json bench.json --pictures docs/pictures
    python -m loadtests.peak --short --parts embedded,waits

wrk replays the same calls for 100,000 visitors over loopback, from a core of its own, at a server pinned to one;
default limits, metrics on. Where there are fewer cores than that takes, a line says so instead of a figure. One machine
drives and serves, so the ratio to the bare limit is what travels: a fixed reply over the same protocol, for the same
bytes, in the same run. After each run the log is counted: what was answered 2xx must be in it, or the run ends.
"""

import argparse
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from base.process import take_all_descriptors
from loadtests import growth, parts, waiting
from loadtests.filling import LogOptions
from loadtests.forwarding import MEMORY_TARGET, STEADY, bench_forwarding
from loadtests.hostile import hostile
from loadtests.lines import COLUMNS, Line, Target, cells, line, markdown, unmeasured
from loadtests.machine import describe
from loadtests.options import file, folder
from loadtests.picture import Stamp
from loadtests.servers import HOST
from loadtests.stand import Options, Stand, stand

OUT = Console(width=200)
FORWARDED = ["footprints", "netcore"]


def forwarder(stand: Stand) -> Iterator[Line]:
    if not stand.seats.broker:
        yield unmeasured("forwarder", "forwarder", "needs a core each for forwarder and vendor")
        return
    with tempfile.TemporaryDirectory(prefix="ochn-bench-") as data:
        stand.tell(f"forwarder, {stand.options.forwarded:,} events behind")
        log = LogOptions("embedded", f"{HOST}:1", Path(data), stand.options.forwarded)
        rows = bench_forwarding(log, FORWARDED)
    for row, _ in rows:
        scaled, steady = Target(ratio=row.target_ratio, beside="bare calls"), Target(ratio=STEADY, beside="the median")
        ours, limit = 1e6 / row.cpu_us_per_event, 1e6 / row.bare_cpu_us
        least, most = row.ratios
        note = f"{row.cpu_us_per_event} CPU µs an event, {row.bare_cpu_us} a bare call; {row.events:,} events"
        note = f"{note}; {least:.2f} to {most:.2f} in tenths of the run"
        yield line("forwarder", f"forwarder to {row.line}", "events/CPU s", ours, limit, target=scaled, note=note)
        yield line("forwarder", "… absolute", "events/s", row.events_per_second, target=Target(least=row.target))
        yield line("forwarder", "… slowest 5 s", "events/s", row.slowest_5s, row.median_5s, target=steady)
        yield line("forwarder", "… its memory", "MB", row.memory_mb, target=Target(most=MEMORY_TARGET))


PARTS: dict[str, Callable[[Stand], Iterator[Line]]] = {
    "kafka": parts.kafka,
    "workers": parts.workers,
    "embedded": parts.embedded,
    "asgi": parts.asgi,
    "bodies": parts.bodies,
    "waits": waiting.waits,
    "forwarder": forwarder,
    "memory": waiting.memory,
    "hostile": hostile,
}
GROWTH = "growth"
ON_EMBEDDED = {"embedded", "forwarder", "hostile"}  # parts that do without Kafka


def run(
    options: Options, chosen: list[str], tell: Callable[[str], None]
) -> tuple[list[Line], list[growth.Curve], Stand]:
    with stand(options, tell, kafka=bool(set(chosen) - ON_EMBEDDED)) as here:
        lines = [one for name in PARTS if name in chosen for one in PARTS[name](here)]
        curves = list(growth.curves(here)) if GROWTH in chosen else []
    return [*lines, *(curve.line() for curve in curves)], curves, here


def table(lines: list[Line]) -> Table:
    shown = Table(*COLUMNS, box=None)
    for one in lines:
        shown.add_row(*cells(one), style={"missed": "yellow", "ok": "green"}.get(one.verdict))
    return shown


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="How fast one collector is, beside the bare limit.")
    parser.add_argument("--seconds", type=int, default=5, help="of each measured run; default: %(default)s")
    parser.add_argument(
        "--rounds", type=int, default=3, help="bare limit and ours in turn, so often; default: %(default)s"
    )
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="the forwarder begins behind; default: %(default)s"
    )
    parser.add_argument("--short", action="store_true", help="one second a run: only whether it works")
    parser.add_argument("--parts", default=",".join([*PARTS, GROWTH]), help="of: %(default)s")
    parser.add_argument("--json", type=file, metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", type=file, metavar="FILE", help="write the table there")
    parser.add_argument("--pictures", type=folder, metavar="FOLDER", help="draw how it grows there, as growth.png")
    return parser.parse_args(given)


def _options(asked: argparse.Namespace) -> Options:
    if asked.short:
        return Options(seconds=1, rounds=1, down=3, forwarded=20_000, short=True)
    return Options(seconds=asked.seconds, rounds=asked.rounds, forwarded=asked.events)


def main(given: list[str]) -> None:
    asked = arguments(given)
    chosen = asked.parts.split(",")
    if unknown := set(chosen) - {*PARTS, GROWTH}:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join([*PARTS, GROWTH])}")
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: run `scripts/install-tools {tool}`, or install it")
    take_all_descriptors()  # wrk's thousand connections and the bare server's take theirs from ours
    options = _options(asked)
    command = shlex.join(["python", "-m", "loadtests.peak", *given])
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting")
        lines, curves, here = run(options, chosen, lambda words: progress.update(task, description=words))
    told = describe(command)
    OUT.print(table(lines))
    OUT.print(f"{Stamp(told)}", style="dim")
    if asked.json:
        figures = [asdict(one) for one in here.figures]
        lines_told = [asdict(one) for one in lines]
        asked.json.write_text(
            json.dumps({**told, "options": asdict(options), "lines": lines_told, "figures": figures}, indent=2)
        )
    if asked.markdown:
        asked.markdown.write_text(markdown(COLUMNS, map(cells, lines)))
    if asked.pictures and curves:
        growth.draw(curves, Stamp(told), asked.pictures / "growth.png")


if __name__ == "__main__":
    main(sys.argv[1:])
