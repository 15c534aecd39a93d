"""One event that is stuck: the committed offset is never far behind what went out, and the others go on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from base.clock import ManualClock
from forwarder.delivery.asides import PATIENCE
from forwarder.delivery.batching import LANE_EVENTS
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import STUCK, TOPICS, Hanging, Upstream, in_order
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

COUNT, CONCURRENCY = 300, 4
WINDOW = CONCURRENCY * LANE_EVENTS
MATES = 30  # that go with it, or behind it, at most: its batch, and its visitor's


def world(directory: Path, upstream: Upstream, destination: Chain | Batches) -> World:
    made = World(directory, destination, upstream, clock=HeldClock())
    made.options = made.options.model_copy(update={"concurrency": CONCURRENCY, "timeout": 1e6})
    return made


async def fill(world: World) -> None:
    """The stuck one's visitor has ten events among them."""
    await world.append(*(make_event(number, "v3" if number % 30 == 3 else f"v{number}") for number in range(COUNT)))


async def at_rest(upstream: Upstream) -> int:
    """How many events have come once none comes any more."""
    seen, quiet = -1, 0
    async with asyncio.timeout(60):
        while quiet < 40:
            await asyncio.sleep(0.005)
            quiet = quiet + 1 if len(upstream.received) == seen else 0
            seen = len(upstream.received)
    return seen


@pytest.mark.parametrize(("kind", "window"), [(Chain, WINDOW), (Batches, CONCURRENCY * Batches().batch.events)])
async def test_a_hanging_call_holds_up_a_window_and_then_is_parked_in_flight(
    tmp_path: Path, kind: type[Chain] | type[Batches], window: int
) -> None:
    upstream = Hanging()
    stand = world(tmp_path, upstream, kind())
    assert isinstance(stand.clock, ManualClock)
    await fill(stand)
    async with stand.running() as delivery:
        if kind is Batches:
            await asyncio.sleep(0.1)
            stand.clock.advance(Batches().batch.age)
        assert await at_rest(upstream) < 3 + window  # three stand before it
        assert await stand.standing(TOPICS.parked.name) == {}
        async with asyncio.timeout(60):
            while len(upstream.received) < COUNT - MATES:
                stand.clock.advance(PATIENCE / 4)
                await asyncio.sleep(0.005)
        assert f"{STUCK}:{stand.destination.name}" in await stand.standing(TOPICS.parked.name)
        upstream.free.set()
        async with asyncio.timeout(60):
            while len(upstream.received) < COUNT or delivery.watch.parking.count():
                stand.clock.advance(PATIENCE)
                await asyncio.sleep(0.005)
    assert sorted(upstream.ids()) == [f"event-{number:05}" for number in range(COUNT)]
    assert in_order(upstream.received)
    assert upstream.overlaps == 0


async def test_who_stood_still_parks_nothing_before_the_log_was_read(tmp_path: Path) -> None:
    """What it holds may be another's by then."""
    upstream = Hanging()
    stand = world(tmp_path, upstream, Chain())
    assert isinstance(stand.clock, ManualClock)
    stand.erased.looked = stand.clock.monotonic()
    await fill(stand)
    async with stand.running():
        await at_rest(upstream)
        for seconds in (20.0, *[PATIENCE / 4] * 20):
            stand.clock.advance(seconds)
            await asyncio.sleep(0.01)
        assert await stand.standing(TOPICS.parked.name) == {}
        async with asyncio.timeout(60):
            while len(upstream.received) < COUNT - MATES:
                stand.clock.advance(PATIENCE / 4)
                stand.erased.looked = stand.clock.monotonic()
                await asyncio.sleep(0.005)
        assert f"{STUCK}:chain" in await stand.standing(TOPICS.parked.name)
        upstream.free.set()


async def test_what_fails_alone_holds_up_nobody(tmp_path: Path) -> None:
    """The clock stands still: nobody waited for its next try."""

    def refuse(call: dict[str, Any]) -> Reply | None:
        return Reply(500) if call["purpose"] == "send" and call["events"][0]["id"] == STUCK else None

    upstream = Upstream(fault=refuse)
    stand = world(tmp_path, upstream, Chain())
    await fill(stand)
    async with stand.running():
        await stand.until_committed()
        parked = await stand.standing(TOPICS.parked.name)
    assert set(parked) == {f"event-{number:05}:chain" for number in range(3, COUNT, 30)}
    assert len(upstream.received) == COUNT - len(parked)


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_a_kill_sends_again_what_was_in_flight_at_most(tmp_path: Path, kind: type[Chain] | type[Batches]) -> None:
    upstream = Hanging()
    stand = world(tmp_path, upstream, kind())
    stand.clock = ManualClock()
    in_flight = CONCURRENCY * stand.destination.batch.events
    await fill(stand)
    for kill in range(1, 4):
        await asyncio.wait_for(stand.killed(after=40 if kind is Chain else 4), 60)
        assert len(upstream.ids()) - len(set(upstream.ids())) <= kill * in_flight
    upstream.free.set()
    await stand.deliver(parked_too=True)
    assert len(set(upstream.ids())) == COUNT
    assert len(upstream.ids()) - COUNT <= 3 * in_flight
