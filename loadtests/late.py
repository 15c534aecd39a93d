"""How long events in time wait behind late ones: a forwarder whose Netcore was away for more than a day.

    python -m loadtests.late --late 300000 --in-time 100000 --visitors same --vendor-ms 5
    python -m loadtests.late --compare --json late.json

The log holds `--late` visits, the last of them 25 hours old, and behind them `--in-time` of now: of other visitors
(`apart`), or of some of the same, who come again (`same`). The forwarder is pinned to one core, the vendor
(loadtests/sink.py) to another. Options that take several values are tried each with each; `--compare` tries the lane
for late events off and on, for all visitors, with vendors that are quick, slow, and limited. Seconds are told from
the forwarder's start, as looks 50 ms apart saw them.
"""

import argparse
import asyncio
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from loadtests.again import NOWHERE
from loadtests.filling import LogOptions, fill_with
from loadtests.late_stand import Case, Load, Look, Row, measure
from loadtests.machine import describe
from loadtests.options import file

OFF, ON = 0, 500_000
VENDORS = ((0.0, None), (5.0, None), (100.0, None), (5.0, 5.0))  # milliseconds, calls a second
VISITORS = ("apart", "same")


def run(cases: Sequence[Case], load: Load, folder: Path, progress: Progress) -> Iterator[Row]:
    """Each with a copy of a log that is filled once: so all have the same to do."""
    filled: dict[str, LogOptions] = {}
    for number, case in enumerate(cases, start=1):
        task = progress.add_task(f"{number} of {len(cases)}: {case}", total=load.events)
        if case.visitors not in filled:
            filled[case.visitors] = LogOptions("embedded", NOWHERE, folder / case.visitors, load.events)
            asyncio.run(fill_with(filled[case.visitors], load.visits(case.visitors)))
        log = replace(filled[case.visitors], data=folder / "run")
        shutil.copytree(filled[case.visitors].data, log.data)
        yield measure(case, load, log, teller(progress, task))
        shutil.rmtree(log.data)


def teller(progress: Progress, task: TaskID) -> Callable[[Look], None]:
    return lambda look: progress.update(task, completed=look.in_time + look.late)


def table(rows: Sequence[Row]) -> Table:
    shown = Table(*(name.replace("_per_", "/").replace("_", " ") for name in Row.__annotations__), box=None)
    for one in rows:
        shown.add_row(*(_shown(value) for value in asdict(one).values()))
    return shown


def _shown(value: object) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def cases(asked: argparse.Namespace) -> list[Case]:
    vendors: Sequence[tuple[float, float | None]] = [(each, asked.calls_per_second) for each in asked.vendor_ms]
    visitors, lanes = asked.visitors, asked.lane or [None]
    if asked.compare:
        vendors, visitors = VENDORS, VISITORS
        lanes = [OFF, ON] if asked.lane is None else lanes
    return [Case(*vendor, who, lane) for vendor, who, lane in product(vendors, visitors, lanes)]


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How long events in time wait behind late ones.")
    parser.add_argument("--late", type=int, default=300_000, metavar="N")
    parser.add_argument("--in-time", type=int, default=100_000, metavar="N")
    parser.add_argument("--visitors", nargs="+", choices=VISITORS, default=["apart"])
    parser.add_argument("--vendor-ms", nargs="+", type=float, default=[0.0], metavar="N", help="answers after so long")
    parser.add_argument("--calls-per-second", type=float, metavar="N", help="the destination's setting")
    parser.add_argument("--lane", nargs="*", type=int, metavar="N", help="forwarder.late_parked; no N: its default")
    parser.add_argument("--compare", action="store_true", help="all visitors, four vendors, the lane off and on")
    parser.add_argument("--most-seconds", type=float, default=300.0, metavar="N", help="of a run; default: %(default)g")
    parser.add_argument("--json", type=file, metavar="FILE", help="write the figures there as well")
    return parser.parse_args(given)


def main(given: list[str]) -> None:
    asked = arguments(given)
    load = Load(asked.late, asked.in_time, asked.most_seconds)
    told = describe(shlex.join(["python", "-m", "loadtests.late", *given]))
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="ochn-late-") as folder,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        rows = list(run(cases(asked), load, Path(folder), progress))
    Console(width=240).print(table(rows))
    if asked.json:
        counted = {"late": load.late, "in_time": load.in_time, "rows": [asdict(one) for one in rows]}
        asked.json.write_text(json.dumps({**told, **counted}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
