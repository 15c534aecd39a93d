"""`make soak`: people, faults and five destinations for a while, then a reckoning: where is each event that was answered 200?

    python -m loadtests.soak --minutes 20 --folder soak
    python -m loadtests.soak --reckon soak

Starts Kafka and `ochn dev` with all five destinations, sends events at a rate that does not wait for answers, and breaks
things by a schedule: Kafka frozen, killed and restarted, each of our processes killed or renewed, each vendor answering
500, 429, garbage, 400, or not at all. Then it waits until nothing moves and compares the client's notes, our books and
the vendors' records: accepted = delivered + filtered + parked + dead, per destination. Exits with 1 when an event is
missing, and names it. All that it judges by stays in the folder, from which `--reckon` judges again.
"""

import argparse
import json
import shlex
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from loadtests.lines import markdown
from loadtests.machine import describe
from loadtests.picture import Stamp
from loadtests.soak_evidence import keep_books, verdict
from loadtests.soak_load import Crowd
from loadtests.soak_picture import draw
from loadtests.soak_schedule import schedule
from loadtests.soak_stand import Stand, looking, stand
from loadtests.soak_verdict import Account

OUT = Console(width=160)
COLUMNS = ("", "accepted", "delivered", "filtered", "parked", "dead", "missing", "at the vendor twice")
NAMED = 20  # ids of each fault that are printed; all stand in verdict.json


def soak(folder: Path, seconds: float, rate: float, quiet: float, command: str) -> list[Account]:
    """`quiet`: seconds at most that everything may take to arrive once the load is over."""
    with stand(folder) as here:
        crowd = Crowd(here.product.url, folder / "sent.jsonl", rate, seconds)
        stop = looking(here, crowd.now)
        _drive(here, crowd, seconds)
        accounts = _settled(here, folder, quiet)
        stop()
        told = describe(command)
        here.product.process.stop()
        (folder / "ochn.log").write_text("\n".join(here.said))
    draw(crowd.sent, here.samples, here.done, Stamp(told), folder / "soak.png")
    kept = {**told, "seconds": seconds, "rate": rate, "accounts": [one.told() for one in accounts]}
    series = {"faults": [asdict(one) for one in here.done], "samples": [asdict(one) for one in here.samples]}
    (folder / "verdict.json").write_text(json.dumps({**kept, **series}, indent=1))
    return accounts


def _drive(here: Stand, crowd: Crowd, seconds: float) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("introducing", total=seconds)
        driving = threading.Thread(target=crowd.run)
        driving.start()
        while not crowd.began:
            time.sleep(0.1)
            if not driving.is_alive():
                raise SystemExit("the load ended before it began")
        here.breaks(
            schedule(seconds),
            crowd.now,
            lambda fault: progress.update(task, description=str(fault), completed=fault.at),
        )
        while driving.is_alive():
            driving.join(0.5)
            progress.update(task, description="load without faults", completed=crowd.now())


def _settled(here: Stand, folder: Path, quiet: float) -> list[Account]:
    """The reckoning, once it is clean, or when time is up."""
    here.product.fault()
    until = time.monotonic() + quiet
    while True:
        if here.caught_up() or time.monotonic() > until:
            keep_books(folder)
            accounts = verdict(folder)
            if not any(account.faults for account in accounts) or time.monotonic() > until:
                return accounts
        time.sleep(1)


def report(accounts: list[Account]) -> int:
    """The exit code."""
    shown = Table(*COLUMNS, box=None)
    for one in accounts:
        shown.add_row(*_cells(one))
    OUT.print(shown)
    for one in accounts:
        why = ", ".join(f"{reason} {count:,}" for reason, count in sorted(one.reasons.items()))
        OUT.print(f"{one.destination}: {why}", style="dim")
        for fault, ids in one.faults.items():
            OUT.print(f"{one.destination}: {len(ids):,} {fault}", style="red")
            OUT.print("\n".join(f"  {each}" for each in ids[:NAMED]), highlight=False)
    empty = not any(one.accepted for one in accounts)
    return 1 if empty or any(one.faults for one in accounts) else 0


def _cells(one: Account) -> tuple[str, ...]:
    counts = (one.outcomes[kind] for kind in ("delivered", "filtered", "parked", "dead"))
    return (one.destination, *(f"{number:,}" for number in (one.accepted, *counts, len(one.missing), one.duplicates)))


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description="Load, faults, and a reckoning of every event.")
    parser.add_argument("--minutes", type=float, default=20, help="of load; default: %(default)s")
    parser.add_argument("--rate", type=float, default=200, help="events a second; default: %(default)s")
    parser.add_argument("--quiet", type=float, default=300, help="seconds at most for all to arrive afterwards")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/soak"), help="for what it leaves; default: %(default)s"
    )
    parser.add_argument("--reckon", type=Path, metavar="FOLDER", help="only judge what an earlier soak left there")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    asked = arguments(given)
    if asked.reckon:
        return report(verdict(asked.reckon))
    folder: Path = asked.folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{asked.folder} is not empty: name another --folder, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "-m", "loadtests.soak", *given])
    accounts = soak(folder, asked.minutes * 60, asked.rate, asked.quiet, command)
    (folder / "verdict.md").write_text(markdown(COLUMNS, map(_cells, accounts)))
    code = report(accounts)
    OUT.print(f"{asked.folder}: soak.png, verdict.json, verdict.md, ochn.log; `--reckon {asked.folder}` judges again")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
