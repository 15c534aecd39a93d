"""Another process for each child while the tree runs: which comes first, and what stays when the new one can't serve."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from base.clock import SystemClock
from base.logs import build_logger
from base.settings import LoggingSettings
from ochn.serving.running import Child, Renewal
from ochn.serving.supervisor import Supervisor
from tests.support.product import wait_gone

pytestmark = pytest.mark.anyio
DEADLINE = 60.0


@asynccontextmanager
async def tree(file: Path, *children: tuple[str, Renewal]) -> AsyncIterator[tuple[Supervisor, Callable[[], list[str]]]]:
    """A started tree of children `how`, and what it has logged, as `event child`."""
    stream = io.StringIO()
    logger = build_logger(LoggingSettings(), "ochn", stream)
    every = [Child(how, "tests.support.a_child", 0, (how, str(file)), renewal=renewal) for how, renewal in children]
    running = Supervisor(every, dict(os.environ), SystemClock(), logger)

    def logged() -> list[str]:
        entries = map(orjson.loads, stream.getvalue().splitlines())
        return [f"{entry['event']} {entry['child']}" for entry in entries]

    try:
        await running.start()
        yield running, logged
    finally:
        await running.stop(DEADLINE)
        wait_gone(abs(pid) for pid in told(file))


def told(file: Path) -> list[int]:
    """Pids in the order of their starts; negative ones of their ends."""
    return [int(line) for line in file.read_text().split()]


async def test_beside_the_new_one_serves_before_the_old_one_is_told_to_go(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("slow", Renewal.BESIDE)) as (running, logged):
        old = running.pids()["slow"]
        assert await running.renew(DEADLINE)
        new = running.pids()["slow"]
        assert told(file) == [old, new, -old]
        assert running.ready()[0] == 200
        await asyncio.sleep(0.5)  # for a hand that would replace who was told to go
        assert (running.pids()["slow"], logged()) == (new, [])


async def test_after_the_old_one_has_gone_before_the_new_one_begins(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("good", Renewal.AFTER), ("stubborn", Renewal.NEVER)) as (running, logged):
        before = running.pids()
        assert await running.renew(DEADLINE)
        after = running.pids()
        assert [pid for pid in told(file) if pid != before["stubborn"]] == [
            before["good"],
            -before["good"],
            after["good"],
        ]
        assert (after["stubborn"], logged()) == (before["stubborn"], [])
        os.kill(before["stubborn"], signal.SIGKILL)


async def test_when_the_new_one_can_not_serve_the_old_one_stays_and_so_do_those_after_it(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("once", Renewal.BESIDE), ("good", Renewal.BESIDE)) as (running, logged):
        before = running.pids()
        assert not await running.renew(DEADLINE)
        assert running.pids() == before
        assert running.ready()[0] == 200
        assert logged() == ["child.not_renewed once"]


async def test_who_dies_while_its_successor_starts_is_followed_by_that_one_alone(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("slow", Renewal.BESIDE)) as (running, logged):
        renewing = asyncio.create_task(running.renew(DEADLINE))
        old = running.pids()["slow"]
        async with asyncio.timeout(DEADLINE):
            while len(told(file)) < 2:
                await asyncio.sleep(0.02)
        os.kill(old, signal.SIGKILL)
        assert await renewing
        assert running.pids()["slow"] != old
        await asyncio.sleep(0.5)
        assert (len(told(file)), logged()) == (2, [])


async def test_who_does_not_go_in_time_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("stubborn", Renewal.BESIDE)) as (running, logged):
        old = running.pids()["stubborn"]
        assert await running.renew(0.3)
        assert logged() == ["child.killed stubborn"]
        wait_gone([old])
        os.kill(running.pids()["stubborn"], signal.SIGKILL)


async def test_the_end_in_the_middle_of_a_renewal_leaves_nobody(tmp_path: Path) -> None:
    file = tmp_path / "told"
    async with tree(file, ("slow", Renewal.BESIDE)) as (running, _):
        renewing = asyncio.create_task(running.renew(DEADLINE))
        async with asyncio.timeout(DEADLINE):
            while len(told(file)) < 2:
                await asyncio.sleep(0.02)
        renewing.cancel()
        assert await running.stop(DEADLINE) == 0
        assert len(told(file)) == 4  # both were told to go
