"""The service as a process, and one that begins anew after a fault."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession

from eventlog.errors import LogUnavailable
from eventlog.log import Item, LogReader, LogWriter, Start
from eventlog.memory import MemoryLog
from forwarder.supervision import keep_delivering
from tests.forwarder.small import Chain
from tests.forwarder.stand import Upstream, numbered
from tests.forwarder.world import World
from tests.support.ports import free_ports

pytestmark = pytest.mark.anyio


async def start(directory: Path, environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "forwarder",
        env={**os.environ, "OCHN_DATA_DIR": str(directory), "OCHN_PROFILE": "dev", **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def test_it_starts_shows_metrics_and_ends_at_a_signal(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    process = await start(tmp_path, {"OCHN_ADMIN__PORT": str(port)})
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ready\n"
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert b"ochn_outcomes" in await answer.read()
        second = await start(tmp_path, {"OCHN_ADMIN__PORT": "0"})
        _, said = await second.communicate()
        assert (second.returncode, b"in use" in said) == (3, True)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        await process.communicate()


class Flaky(MemoryLog):
    """Its readers can't be opened at first, and the first that is breaks."""

    refusals = 2

    async def open_reader(self, group: str, topic: str, start: Start) -> Any:
        self.refusals -= 1
        if self.refusals >= 0:
            raise LogUnavailable("not yet")
        reader = await super().open_reader(group, topic, start)
        return Broken(reader) if self.refusals == -1 else reader


class Broken:
    """Gives what it holds, and then nobody knows what."""

    def __init__(self, inner: LogReader) -> None:
        self._inner = inner

    async def next(self, max_records: int, wait: float) -> Item | None:
        item = await self._inner.next(max_records, wait)
        if item is None:
            raise RuntimeError("broken")
        return item

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        raise RuntimeError("broken")

    async def close(self, deadline: float) -> None:
        await self._inner.close(deadline)


async def test_a_log_that_is_away_and_an_unknown_fault_only_delay(tmp_path: Path) -> None:
    log, upstream = Flaky(), Upstream()
    world = World(tmp_path, Chain(), upstream, log)
    await world.append(*numbered(20, 3))
    writer: LogWriter = await log.open_writer()
    target, _, around = await world._parts(writer)
    ending = asyncio.Event()
    keeping = asyncio.create_task(keep_delivering(target, log, around, ending, again=0.05))
    await world.until_committed()
    ending.set()
    await keeping
    assert len(set(upstream.ids())) == 20
    assert log.refusals == -2
    status = orjson.loads((tmp_path / "forwarder" / "chain.status.json").read_bytes())
    assert (status["state"], status["delivered"]) == ("running", len(upstream.ids()))
