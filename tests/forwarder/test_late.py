"""What reaches a destination too late for its journeys is delivered, flagged and counted."""

from pathlib import Path

import pytest

from base.clock import ManualClock, rfc3339
from forwarder.destinations.netcore import Netcore, NetcoreSettings
from forwarder.transport import MemoryTransport, Reply
from tests.forwarder.small import make_event
from tests.forwarder.world import World

HOUR = 3600.0


@pytest.mark.anyio
async def test_netcores_day_is_over(tmp_path: Path) -> None:
    clock = ManualClock()
    transport = MemoryTransport(lambda _: Reply(200, {}, b'{"status":"success"}'))
    settings = NetcoreSettings.model_validate(
        {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "web"}
    )
    world = World(tmp_path, Netcore("netcore", settings), transport, clock=clock, options=settings)
    ages = (25, 24.5, 23.5, 1, 0)
    await world.append(
        *(make_event(n, f"v{n}")._replace(time=rfc3339(clock.now() - age * HOUR)) for n, age in enumerate(ages))
    )
    async with world.running() as delivery:
        await world.until_committed()
        assert (delivery.watch.status.delivered, delivery.watch.status.late) == (5, 2)
        assert delivery.relay.metrics.late.labels("netcore")._value.get() == 2
