"""A kill while a parked event leaves: whoever asks is not told for ever that it waits."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from eventlog.log import Record, Settled
from eventlog.memory import MemoryLog, MemoryWriter
from forwarder.keeping.receipts import Receipt
from forwarder.transport import Reply, Request
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio
MAIL = make_event(2, "m-ann", "init", email="ann@shop.example")


class Halted(MemoryWriter):
    """Kills the forwarder, as the log sees it, when it takes a parked event back."""

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        if not any(record.topic == TOPICS.parked.name and record.value is None for record in records):
            super().append(records, settled)


class Halting(MemoryLog):
    async def open_writer(self) -> MemoryWriter:
        return Halted(self)


async def told(world: World) -> str:
    """The last word of the receipts on the first event."""
    receipts = [Receipt.from_bytes(record.value or b"") for record in await world.records(TOPICS.receipts.name)]
    return [str(one.told(0)["outcome"]) for one in receipts if 0 in one.all][-1]


async def test_its_receipt_is_there_before_its_record_goes(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path, Chain(), upstream, Halting())
    await world.append(make_event(1, "m-ann"))
    await world.deliver()
    assert await told(world) == "parked"
    await world.append(MAIL)
    async with asyncio.timeout(60), world.running(drain=0.0):
        while "event-00001" not in upstream.ids() or await told(world) == "parked":
            await asyncio.sleep(0.002)
    assert (await world.standing(TOPICS.parked.name)).keys() >= {"event-00001:chain"}
    world.log.__class__ = MemoryLog
    await world.deliver(parked_too=True)
    assert await told(world) == "delivered"
    assert set(upstream.ids()) == {"event-00001", MAIL.id}


class Answering(Upstream):
    """A send is on its way until `free` is set."""

    free: asyncio.Event

    async def send(self, request: Request, deadline: float) -> Reply:
        reply = await super().send(request, deadline)
        if self.received:
            await self.free.wait()
        return reply


async def test_one_that_is_delivered_when_its_partition_has_gone_is_told_of(tmp_path: Path) -> None:
    """Its record goes then: whoever has the partition won't send it, and so won't tell of it."""
    upstream = Answering()
    upstream.free = asyncio.Event()
    world = World(tmp_path, Chain(), upstream)
    await world.append(make_event(1, "m-ann"))
    await world.deliver()
    await world.append(MAIL)
    async with asyncio.timeout(60), world.running() as delivery:
        while not upstream.received:
            await asyncio.sleep(0.002)
        delivery.relay.ledger.revoke(0)
        upstream.free.set()
        while "event-00001:chain" in await world.standing(TOPICS.parked.name):
            await asyncio.sleep(0.002)
    assert upstream.ids()[0] == "event-00001"
    assert await told(world) == "delivered"
