"""What a destination is said to take: calls side by side, and calls a second."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from base.clock import ManualClock
from eventlog.event import Event
from forwarder.destinations.base import Call, Facts, Plan
from forwarder.transport import Reply, Request
from tests.forwarder.small import Batches, Chain, make_event, request
from tests.forwarder.stand import Upstream
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

COUNT = 60


class Singles(Batches):
    """Plans a whole batch, and makes a call of each of its events."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return Plan(tuple(Call("activity", request("activity", [event]), (event,)) for event in events))


@dataclass
class Dated(Upstream):
    clock: ManualClock = field(default_factory=ManualClock)
    at: list[float] = field(default_factory=list)

    async def send(self, request: Request, deadline: float) -> Reply:
        self.at.append(self.clock.monotonic())
        return await super().send(request, deadline)


async def fill(world: World) -> None:
    await world.append(*(make_event(number, f"v{number}") for number in range(COUNT)))


@pytest.mark.parametrize("kind", [Chain, Singles])
@pytest.mark.parametrize("limit", [1, 3, 16])
async def test_no_more_calls_are_in_flight_than_it_takes(
    tmp_path: Path, kind: type[Chain] | type[Singles], limit: int
) -> None:
    upstream = Upstream(pauses=lambda: 5)
    world = World(tmp_path, kind(), upstream)
    world.options = world.options.model_copy(update={"concurrency": limit})
    await fill(world)
    await world.deliver()
    assert len(upstream.ids()) == COUNT
    assert upstream.most == limit


@pytest.mark.parametrize("kind", [Chain, Singles])
async def test_no_more_calls_are_made_in_a_second_than_it_takes(
    tmp_path: Path, kind: type[Chain] | type[Singles]
) -> None:
    clock = HeldClock()
    upstream = Dated(clock=clock)
    world = World(tmp_path, kind(), upstream, clock=clock)
    world.options = world.options.model_copy(update={"calls_per_second": 4.0})
    await fill(world)
    async with world.running():
        while len(upstream.received) < COUNT:
            clock.advance(0.05)
            await asyncio.sleep(0.004)
    calls = sorted(upstream.at)
    assert len(calls) >= COUNT
    assert all(later - earlier >= 0.75 for earlier, later in zip(calls, calls[4:], strict=False))
    assert calls[-1] - calls[0] <= len(calls) / 4 + 5.0  # and not much slower
