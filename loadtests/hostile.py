"""The part of the benchmark in which others are in the way: slow and idle connections, and what live traffic feels.

`python -m loadtests.peak --parts hostile` (faults.md, rows 13 and 14).
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from loadtests import crowd
from loadtests.calls import visit
from loadtests.lines import Line, Target, line
from loadtests.machine import resident_mb
from loadtests.paced import Pace, Waits
from loadtests.servers import Collector, Server
from loadtests.stand import Stand

RATE = 500.0  # events a second of live traffic
SLOW = {"headers": (667, 10.0), "again": (667, 10.0), "body": (666, 30.0)}  # 2,000; seconds until each is closed
IDLE = 10_000
GRACE = 5.0  # seconds more for a crowd to be seen closed, on cores that others use too


def hostile(stand: Stand) -> Iterator[Line]:
    """Shortened, a twentieth of the crowds."""
    share = 20 if stand.options.short else 1
    with Collector("embedded").running(stand.seats.server) as server:
        _live(stand, server, stand.options.warming)
        yield from _slow(stand, server, share)
    with Collector("embedded").running(stand.seats.server) as server:
        yield from _idle(stand, server, IDLE // share)


def _slow(stand: Stand, server: Server, share: int) -> Iterator[Line]:
    count = sum(each // share for each, _ in SLOW.values())
    rounds = []
    for _ in range(stand.options.rounds):  # by turns, so that both have the same neighbours
        quiet = _live(stand, server, stand.options.seconds)
        stand.tell(f"{count:,} slow connections")
        with _crowds(stand, server, share, stand.options.seconds + GRACE) as driven:
            rounds.append((quiet, _live(stand, server, stand.options.seconds)))
            for driver in driven:
                driver.terminate()
    quiet, beset = sorted(rounds, key=lambda pair: pair[1].p99_ms / pair[0].p99_ms)[len(rounds) // 2]
    target = Target(most=round(2 * quiet.p99_ms, 1))
    name = f"p99 at {RATE:,.0f}/s beside {count:,} slow connections"
    yield line("hostile", name, "ms", beset.p99_ms, quiet.p99_ms, target=target, note=_lost(beset))
    stand.tell(f"{count:,} slow connections, until they are closed")
    with _crowds(stand, server, share) as driven:
        seen = [crowd.seen(driver) for driver in driven]
    for one in seen:
        limit = SLOW[one.kind][1]
        note = f"{one.closed:,} of {one.opened:,} were"
        yield line(
            "hostile", f"… closed, slow in {one.kind}", "s", one.longest, target=Target(most=limit + 1), note=note
        )


@contextmanager
def _crowds(
    stand: Stand, server: Server, share: int, seconds: float | None = None
) -> "Iterator[list[subprocess.Popen[str]]]":
    """All of them open; they end by themselves after `seconds`, or when their time must be up."""
    with ExitStack() as stack:
        driven = [
            stack.enter_context(
                crowd.started(server.port, each // share, kind, seconds or limit + GRACE, stand.seats.broker)
            )
            for kind, (each, limit) in SLOW.items()
        ]
        for driver in driven:
            crowd.are_open(driver)
        yield driven


def _idle(stand: Stand, server: Server, count: int) -> Iterator[Line]:
    _live(stand, server, stand.options.seconds)
    before, seconds = resident_mb(server.pid), stand.options.seconds + 2.0
    stand.tell(f"{count:,} idle connections")
    with crowd.started(server.port, count, "idle", seconds + count / 1000, stand.seats.broker) as driver:
        crowd.are_open(driver)
        time.sleep(2)
        live = _live(stand, server, stand.options.seconds)
        more = resident_mb(server.pid) - before
        seen = crowd.seen(driver)
    note = f"from {before:.0f} MB; {seen.opened - seen.closed:,} stayed; live: {_lost(live)}"
    yield line(
        "hostile",
        f"more memory with {count:,} idle connections",
        "MB",
        round(more, 1),
        target=Target(most=80),
        note=note,
    )


def _live(stand: Stand, server: Server, seconds: float) -> Waits:
    return Pace(visit(), 64, RATE, seconds).on(server, stand.seats.driver)


def _lost(seen: Waits) -> str:
    return f"{seen.answered:,} answered, {seen.refused:,} refused, {seen.late:,} never"
