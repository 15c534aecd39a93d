"""kill -9 of the forwarder, again and again, over the embedded log and real sockets."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from base.clock import SystemClock
from forwarder.destinations.settings import DestinationSettings
from forwarder.transport import Request
from tests.forwarder.killed import embedded
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import Upstream
from tests.forwarder.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.system, pytest.mark.timeout(600)]

COUNT, VISITORS, KILLS = 1200, 30, 4


@asynccontextmanager
async def served(upstream: Upstream) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.005)
        called = Request("POST", "", {"authorization": request.headers["authorization"]}, await request.read())
        reply = await upstream.send(called, 5)
        return web.Response(status=reply.status, body=reply.body)

    runner = web.AppRunner(web.Application())
    runner.app.router.add_post("/", answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def run_until(goal: int, upstream: Upstream, arguments: tuple[str, str, str], patience: float) -> None:
    """Then kill -9. `goal`: so many different events have arrived."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.forwarder.killed", *arguments, cwd=Path(__file__).parents[2]
    )
    try:
        async with asyncio.timeout(patience):
            while len(set(upstream.ids())) < goal and child.returncode is None:
                await asyncio.sleep(0.002)
    except TimeoutError:
        pass
    assert child.returncode is None
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()


async def lost_after_kills(directory: Path, mode: str, patience: float) -> tuple[set[str], Upstream]:
    upstream = Upstream()
    world = World(directory, Chain(), upstream, embedded(directory), SystemClock())
    issued = [make_event(n, f"v{n % VISITORS}" if n % 4 else f"m{n % VISITORS}") for n in range(COUNT)]
    reachable = sum(event.subject.startswith("v") for event in issued)
    await world.append(*issued)
    dice = random.Random(1)
    async with served(upstream) as url:
        for _ in range(KILLS):
            goal = len(set(upstream.ids())) + dice.randrange(1, reachable // KILLS)
            await run_until(goal, upstream, (str(directory), url, mode), patience)
        contacts = [
            make_event(COUNT + n, f"m{n}", "init", email=f"{n}@b.example")
            for n in range(VISITORS)
            if f"m{n}" in {event.subject for event in issued}
        ]
        await world.append(*contacts)
        everything = {event.id for event in (*issued, *contacts)}
        await run_until(len(everything), upstream, (str(directory), url, mode), patience)
    return everything - set(upstream.ids()), upstream


async def test_nothing_is_lost(tmp_path: Path) -> None:
    lost, upstream = await lost_after_kills(tmp_path, "careful", 100.0)
    assert lost == set()
    duplicates = len(upstream.received) - len(set(upstream.ids()))
    assert duplicates <= (KILLS + 1) * DestinationSettings().concurrency  # calls in flight
    inits = Counter(call["events"][0]["subject"] for call in upstream.calls if call["purpose"] == "init")
    assert sum(inits.values()) <= len(inits) + (KILLS + 1) * 16  # what was in flight; the rest is remembered


async def test_commit_before_send_would_lose_some(tmp_path: Path) -> None:
    lost, _ = await lost_after_kills(tmp_path, "eager", 4.0)
    assert lost
