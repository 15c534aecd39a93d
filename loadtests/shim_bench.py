"""`make bench-shim`: every bar that omnichannel.js is held to, measured in a real Chromium against a server that counts.

    python -m loadtests.shim_bench --json docs/omnichannel.json
    python -m loadtests.shim_bench --share 0.05 --parts losses

`--share` runs that part of the full trials; each figure says how many it had. Times depend on the machine and on what
else it does: its load stands beside them. Counts do not.
"""

import argparse
import gzip
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import brotli

from loadtests.machine import describe
from loadtests.options import file
from loadtests.shim_losses import losses, outage, restores
from loadtests.shim_stand import Figure, Stand, stand
from loadtests.shim_times import times
from tests.browser.counting_server import BUILT

COLUMNS = ("figure", "measured", "bar", "tried", "held", "")


def sizes(_: Stand) -> Iterator[Figure]:
    yield Figure("size", "bytes", len(BUILT), 14_500)
    yield Figure("size, gzip", "bytes", len(gzip.compress(BUILT, 9, mtime=0)), 6_000)
    yield Figure("size, brotli", "bytes", len(brotli.compress(BUILT, quality=11)), 5_400)


PARTS: dict[str, Callable[[Stand], Iterator[Figure]]] = {
    "sizes": sizes,
    "losses": losses,
    "outage": outage,
    "restores": restores,
    "times": times,
}
Told = dict[str, Any]  # a part's machine, commit and figures


def markdown(parts: Mapping[str, Told]) -> str:
    rows = [
        COLUMNS,
        tuple("---" for _ in COLUMNS),
        *(_cells(each) for told in parts.values() for each in told["figures"]),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(told: Told) -> tuple[str, ...]:
    figure = Figure(**told)
    unit = f" {figure.unit}" if figure.unit else ""
    bar = "" if figure.most is None else f"≤ {figure.most:,g}{unit}"
    verdict = {True: "yes", False: "**no**", None: ""}[figure.held]
    return figure.name, f"{figure.value:,g}{unit}", bar, figure.trials, verdict, figure.note


def stamps(parts: Mapping[str, Told]) -> str:
    """When, on what, and beside how much else each part was measured."""
    return "".join(
        f"{name}: {told['at']}, {told['machine']}, load {told['load_average']}, commit {told['commit']}\n"
        for name, told in parts.items()
    )


def main(given: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make bench-shim", description="The bars of omnichannel.js.")
    parser.add_argument("--share", type=float, default=1.0, help="of the full trials")
    parser.add_argument("--parts", default=",".join(PARTS), help="of: %(default)s")
    parser.add_argument("--json", type=file, metavar="FILE", help="write every figure there; other parts' stay")
    asked = parser.parse_args(given)
    kept = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else {}
    command = shlex.join(["python", "-m", "loadtests.shim_bench", *given])
    with stand(asked.share, lambda words: print(f"… {words}", file=sys.stderr, flush=True)) as here:
        for name in asked.parts.split(","):
            kept[name] = {"figures": [asdict(figure) for figure in PARTS[name](here)], **describe(command)}
    parts = {name: kept[name] for name in PARTS if name in kept}
    if asked.json:
        asked.json.write_text(json.dumps(parts, indent=1, ensure_ascii=False) + "\n")
    print(markdown(parts))
    print(stamps(parts))


if __name__ == "__main__":
    main(sys.argv[1:])
