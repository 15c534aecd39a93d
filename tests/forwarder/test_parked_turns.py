"""When a parked event is tried again: a start tries it at once, and no clock that is put back makes it wait."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import Upstream
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

SLOW, DAY = 300.0, 86_400.0


class Stand:
    """One event keeps failing while `poisonous`; it is parked, and was tried in the slow lane in vain."""

    def __init__(self, directory: Path) -> None:
        self.poisonous, self.tries = True, 0
        self.clock, self.upstream = HeldClock(), Upstream(fault=self._poison)
        settings = ForwarderSettings(park_after=SLOW, parked_hours=1e6)
        self.world = World(directory, Chain(), self.upstream, clock=self.clock, settings=settings)
        self.world.options = self.world.options.model_copy(update={"concurrency": 4})

    def _poison(self, call: dict[str, Any]) -> Reply | None:
        if call["purpose"] != "send" or call["events"][0]["id"] != "event-00000":
            return None
        self.tries += 1
        return Reply(500) if self.poisonous else None

    async def ticks(self, true: Callable[[], bool], seconds: float) -> None:
        """So much of the clock's time at most."""
        until = self.clock.monotonic() + seconds
        while not true():
            assert self.clock.monotonic() < until
            self.clock.advance(1.0)
            await asyncio.sleep(0.01)

    async def until_tried_in_vain(self) -> None:
        """Its partition's window is shut by it, so it is parked at its first failure."""
        await self.world.append(*(make_event(number, f"v{number}") for number in range(100)))
        async with self.world.running() as delivery:
            await self.ticks(lambda: delivery.watch.parking.count() == 1 and self.tries >= 2, SLOW / 2)
            await self.world.until_committed()
            await self.ticks(lambda: not delivery.watch.parking.due([0], 1), SLOW / 2)


async def test_a_start_tries_what_keeps_failing_at_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.until_tried_in_vain()
    stand.poisonous = False
    async with stand.world.running() as delivery:
        await stand.ticks(lambda: delivery.watch.parking.count() == 0, SLOW / 2)
    assert stand.upstream.of("v0") == ["event-00000"]


@pytest.mark.parametrize("back", [3600.0, DAY])
async def test_a_clock_that_is_put_back_makes_nothing_wait_longer(tmp_path: Path, back: float) -> None:
    stand = Stand(tmp_path)
    await stand.until_tried_in_vain()
    async with stand.world.running() as delivery:
        before = stand.tries
        await stand.ticks(lambda: stand.tries > before, SLOW / 2)  # the start's
        await stand.ticks(lambda: not delivery.watch.parking.due([0], 1), SLOW / 2)
        stand.poisonous = False
        stand.clock.jump(-back)
        await stand.ticks(lambda: delivery.watch.parking.count() == 0, 2 * SLOW)
    assert stand.upstream.of("v0") == ["event-00000"]
