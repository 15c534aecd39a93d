"""What one forwarder leaves to the next: at its end, or when a partition goes, nothing that was under way is lost."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from base.clock import ManualClock
from base.ids import SeededIds
from base.logs import quiet_logger
from eventlog.erased import FRESH_SECONDS
from eventlog.log import Position, StoredRecord
from eventlog.memory import MemoryLog
from forwarder.destinations.base import delivered
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.durable import Durable
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.receipt_index import ReceiptIndex
from forwarder.keeping.store import Store
from forwarder.retry import RetryPolicy
from forwarder.transport import Reply, Request
from forwarder.work import Unit, Work
from tests.forwarder.small import Batches, Chain, dated, make_event
from tests.forwarder.stand import TOPICS, Upstream, numbered
from tests.forwarder.test_troubles import until
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio

HOUR = 3600.0


class Slow(Upstream):
    """Takes a call at once, and answers a while later."""

    async def send(self, request: Request, deadline: float) -> Reply:
        reply = await super().send(request, deadline)
        await asyncio.sleep(0.6)
        return reply


@pytest.mark.parametrize(("drain", "again"), [(5.0, False), (0.0, True)], ids=["drained", "cut-off"])
async def test_what_is_under_way_at_the_end_is_answered_and_committed(
    tmp_path: Path, drain: float, again: bool
) -> None:
    """And if it were not, it would be sent again."""
    upstream = Slow()
    world = World(tmp_path, Chain(), upstream)
    await world.append(*(make_event(number, f"v{number}") for number in range(40)))
    async with world.running(drain):
        await until(lambda: len(upstream.received) >= 5)
    await world.deliver()
    assert len(set(upstream.ids())) == 40
    assert (len(upstream.ids()) > 40) is again


async def test_a_partition_that_is_taken_while_events_are_under_way_loses_none_and_sends_none_again(
    tmp_path: Path,
) -> None:
    log, upstream = MemoryLog(partitions=2), Upstream(pauses=lambda: 3)
    world = World(tmp_path, Chain(), upstream, log)
    await world.append(*(make_event(number, f"v{number % 7}") for number in range(60)))
    async with world.running():
        for count in (10, 25, 40):
            await until(lambda: len(upstream.received) >= count)  # noqa: B023 - asked at once
            log.evict(TOPICS.group("chain"), TOPICS.events.name)
        await world.until_committed()
    assert sorted(upstream.ids()) == [f"event-{number:05}" for number in range(60)]


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_what_became_anothers_while_its_call_waited_is_left_to_that_one(
    tmp_path: Path, kind: type[Chain] | type[Batches]
) -> None:
    """A machine that stood still sends nothing before it has looked at the list of the erased; by then its session is over."""
    log, upstream, destination = MemoryLog(), Upstream(), kind()
    still, other = (
        World(tmp_path / "still", destination, upstream, log),
        World(tmp_path / "b", destination, upstream, log),
    )
    still.erased.looked = still.clock.monotonic() - FRESH_SECONDS - 1
    await still.append(*numbered(9, visitors=3))
    async with still.running() as stands:
        await until(lambda: stands.relay.engine.in_flight > 0)
        async with other.running():
            log.evict(TOPICS.group(destination.name), TOPICS.events.name)
            await other.until_committed()
            made = list(upstream.calls)
            still.erased.looked = None
            await until(lambda: not stands.relay.engine.in_flight)
    assert len(upstream.ids()) == 9
    assert upstream.calls == made


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_nor_is_anothers_sent_that_was_parked(tmp_path: Path, kind: type[Chain] | type[Batches]) -> None:
    log, upstream, destination = MemoryLog(), Upstream(lambda _call: Reply(429, {"retry-after": "60"})), kind()
    destination.batch = replace(destination.batch, late_after=HOUR)
    still = World(tmp_path / "still", destination, upstream, log)
    other = World(tmp_path / "b", destination, upstream, log)
    await still.append(*(dated(event, 2 * HOUR) for event in numbered(9, visitors=3)))
    await still.deliver()
    assert len(await still.standing(TOPICS.parked.name)) == 9
    upstream.fault = lambda _call: None
    still.erased.looked = still.clock.monotonic() - FRESH_SECONDS - 1
    async with still.running() as stands:
        await until(lambda: stands.relay.engine.in_flight > 0)
        async with other.running() as delivery:
            log.evict(TOPICS.group(destination.name), TOPICS.events.name)
            await until(lambda: len(upstream.ids()) == 9 and delivery.watch.parking.count() == 0)
            still.erased.looked = None
            await until(lambda: not stands.relay.engine.in_flight)
    assert len(upstream.ids()) == 9


async def test_what_is_under_way_of_a_lost_partition_counts_no_more(tmp_path: Path) -> None:
    log = MemoryLog()
    clock = ManualClock()
    durable = Durable(await log.open_writer(), RetryPolicy(0.5, 30.0), clock, SeededIds(), quiet_logger())
    store = Store(tmp_path / "x.db", clock, quiet_logger())
    ahead = Ahead(tmp_path / "x.ahead", quiet_logger())
    ledger = Ledger("x", ReceiptIndex("receipts", store), ahead, durable=durable, clock=clock, window=100)
    record = StoredRecord(Position("events", 0, 4), b"v1", b"{}", 0.0)
    work = Work(make_event(1, "v1"), 0, 4, 2, 0.0)
    ledger.assign(0, 4)
    ledger.take(0, [record], [work], 5)
    assert (ledger.waiting, ledger.waiting_bytes, ledger.ends()) == (1, 2, {0: 4})
    ledger.revoke(0)
    assert (work.live, ledger.waiting, ledger.waiting_bytes, ledger.ends()) == (False, 0, 0, {})
    ledger.assign(0, 4)
    assert ledger.settle([work], delivered()) == []
    assert await ledger.committable() == {}
    assert "receipts" not in log.topics
    await store.close(1)
    ledger.close()
    assert not Unit.of([work]).current()
