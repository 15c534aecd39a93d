"""How long a destination keeps its events waiting, as `ochn_lag_seconds` tells it."""

import asyncio
from pathlib import Path

import pytest

from forwarder.build import Delivery
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import Hanging
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

BEFORE = 90.0  # seconds that the event stood in the log before it was read


@pytest.mark.parametrize(("replayed", "before"), [(False, BEFORE), (True, 0.0)])
async def test_the_first_that_is_not_settled_tells_how_long(tmp_path: Path, replayed: bool, before: float) -> None:
    clock, upstream = HeldClock(), Hanging()
    world = World(tmp_path, Chain(), upstream, clock=clock)
    world.options = world.options.model_copy(update={"timeout": 1e6})
    await world.append(make_event(1, "v1"), make_event(3, "v2")._replace(replayed=replayed), make_event(4, "v3"))
    clock.advance(BEFORE)
    async with world.running() as delivery:
        async with asyncio.timeout(60):
            while len(upstream.received) < 2 or delivery.watch.ledger.waiting > 1:
                await asyncio.sleep(0)
        assert seconds(delivery) >= before
        clock.advance(10)
        assert before + 10 <= seconds(delivery) < before + 20
        upstream.free.set()
        await world.until_committed()
        assert seconds(delivery) == 0


def seconds(delivery: Delivery) -> float:
    delivery.watch.show()
    (metric,) = delivery.watch.metrics.lag_seconds.collect()
    return metric.samples[0].value
