"""When a parked event is tried again: at once after a start and after an outage, and no clock that is put back makes it wait."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forwarder.delivery.slow_lane import SlowLane
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream, in_order
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

SLOW, SOON, DAY = 900.0, 400.0, 86_400.0
VISITORS = 40
POOR = [f"event-{number:05}" for number in (0, 40, 80)]
OUTAGES = [Reply(503), Reply(0), Reply(401), Reply(429, {"retry-after": "20"})]


class Stand:
    """Some events keep failing for themselves, and all do while the destination is `down`. `feed`: others come while the
    clock ticks."""

    def __init__(self, directory: Path, destination: Chain | Batches | None = None) -> None:
        self.poison, self.tries, self.down, self.feed = {POOR[0]}, 0, Reply(200), True
        self.clock, self.upstream = HeldClock(), Upstream(fault=self._fault)
        settings = ForwarderSettings(park_after=SLOW, parked_hours=1e6)
        self.world = World(directory, destination or Chain(), self.upstream, clock=self.clock, settings=settings)
        self.world.options = self.world.options.model_copy(update={"concurrency": 4})
        self._number = 1000

    def _fault(self, call: dict[str, Any]) -> Reply | None:
        if self.down.status != 200 and call["purpose"] != "token":
            return self.down
        ids = {event["id"] for event in call["events"]}
        self.tries += POOR[0] in ids and call["purpose"] != "init"
        return Reply(500) if ids & self.poison and call["purpose"] != "init" else None

    async def ticks(self, true: Callable[[], bool], seconds: float) -> None:
        """So much of the clock's time at most."""
        until = self.clock.monotonic() + seconds
        while not true():
            assert self.clock.monotonic() < until
            self.clock.advance(1.0)
            if self.feed:
                self._number += 1
                await self.world.append(make_event(self._number, f"v{self._number}"))
            await asyncio.sleep(0.01)

    async def until_tried_in_vain(self) -> None:
        """The partition's window is shut by what fails, so it is parked at its first failure."""
        await self.world.append(*(make_event(number, f"v{number % VISITORS}") for number in range(3 * VISITORS)))
        async with self.world.running() as delivery:
            await self.ticks(lambda: delivery.watch.parking.count() > 0 and self.tries >= 2, SOON)
            await self.ticks(lambda: not delivery.watch.parking.due([0], 1), SOON)
            await self.world.until_committed()


async def test_a_start_tries_what_keeps_failing_at_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    await stand.until_tried_in_vain()
    stand.poison.clear()
    async with stand.world.running() as delivery:
        await stand.ticks(lambda: delivery.watch.parking.count() == 0, SOON)
    assert stand.upstream.of("v0") == POOR


@pytest.mark.parametrize("back", [3600.0, DAY])
async def test_a_clock_that_is_put_back_makes_nothing_wait_longer(tmp_path: Path, back: float) -> None:
    stand = Stand(tmp_path)
    await stand.until_tried_in_vain()
    async with stand.world.running() as delivery:
        before = stand.tries
        await stand.ticks(lambda: stand.tries > before, SOON)  # the start's
        await stand.ticks(lambda: not delivery.watch.parking.due([0], 1), SOON)
        stand.poison.clear()
        stand.clock.jump(-back)
        await stand.ticks(lambda: delivery.watch.parking.count() == 0, 2 * SLOW)
    assert stand.upstream.of("v0") == POOR


class Unforgiving(SlowLane):
    """Of whatever a try fails, the next is made after the pause: as it was."""

    __slots__ = ()

    async def clear(self, subject: str, probe: bool) -> bool:
        passed = await super().clear(subject, probe)
        await self.parking.postpone(subject, self.parking.slow)
        return passed


async def outlives(stand: Stand, outage: Reply, lane: type[SlowLane]) -> bool:
    """What was parked has its turn while the destination is down. True: it is delivered soon after that."""
    await stand.until_tried_in_vain()
    stand.poison.clear()
    stand.down, before = outage, len(stand.upstream.calls)
    async with stand.world.running() as delivery:
        delivery.relay.engine._slow.__class__ = lane
        await stand.ticks(lambda: len(stand.upstream.calls) >= before + 8, SLOW)
        assert delivery.watch.breaker.state != "running"
        stand.down, until = Reply(200), stand.clock.monotonic() + SOON
        await stand.ticks(lambda: delivery.watch.parking.count() == 0 or stand.clock.monotonic() >= until, SLOW)
        await stand.world.until_committed()
    assert in_order(stand.upstream.received)
    return stand.upstream.of("v0") == POOR


@pytest.mark.parametrize("outage", OUTAGES, ids=["server-error", "reset", "credentials", "throttled"])
async def test_an_outage_is_not_held_against_what_is_parked(tmp_path: Path, outage: Reply) -> None:
    assert await outlives(Stand(tmp_path), outage, SlowLane)


async def test_were_it_held_against_it_it_would_wait(tmp_path: Path) -> None:
    """The negative control."""
    assert not await outlives(Stand(tmp_path), Reply(503), Unforgiving)


async def test_one_that_always_fails_does_not_take_all_the_turns_of_an_outage(tmp_path: Path) -> None:
    """Nobody else comes who could show that the destination is back."""
    stand = Stand(tmp_path)
    stand.poison.add("event-00001")
    await stand.until_tried_in_vain()
    stand.down, stand.feed, before = Reply(503), False, len(stand.upstream.calls)
    async with stand.world.running() as delivery:
        await stand.ticks(lambda: len(stand.upstream.calls) >= before + 8, SLOW)
        stand.down = Reply(200)
        stand.poison.remove("event-00001")
        await stand.ticks(lambda: delivery.watch.parking.count() == len(POOR), SLOW)
    assert stand.upstream.of("v1") == ["event-00001", "event-00041", "event-00081"]


async def test_whose_fault_it_is_in_a_batch_of_parked_ones_is_found_out(tmp_path: Path) -> None:
    """Those before it go out; those behind it wait, and it is a dead letter when its time is up."""
    stand = Stand(tmp_path, Batches())
    stand.poison = {"event-00002"}
    await stand.world.append(*(make_event(number, "v0") for number in range(5)))
    async with stand.world.running() as delivery:
        await stand.ticks(lambda: stand.upstream.of("v0") == ["event-00000", "event-00001"], SLOW)
        await stand.ticks(lambda: not delivery.watch.parking.due([0], 1), SLOW)
    assert {key[:11] for key in await stand.world.standing(TOPICS.parked.name)} == {
        "event-00002",
        "event-00003",
        "event-00004",
    }
