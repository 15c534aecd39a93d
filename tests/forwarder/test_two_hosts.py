"""What another host sends again when it takes a partition over: of one that ends in order nothing, of one that is gone
what was settled since its last commit, and what was in flight."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from base.clock import Clock, SystemClock
from eventlog.log import EventLog
from eventlog.memory import MemoryLog
from eventlog.topics import Topics
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.delivery.status import Status
from forwarder.keeping.ledger import Ledger
from forwarder.transport import Reply, Request
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import Hanging, in_order
from tests.forwarder.world import HeldClock, World
from tests.support.kafka import Kafka
from tests.support.kafka_log import a_log

pytestmark = pytest.mark.anyio

Build = Callable[[Target, Status, Surroundings], Delivery]
COUNT, CONCURRENCY = 300, 4
PATIENCE = 90.0  # seconds
ROUNDS = 20


class Slow(Hanging):
    """Each call is answered a moment after it was taken."""

    async def send(self, request: Request, deadline: float) -> Reply:
        reply = await super().send(request, deadline)
        await asyncio.sleep(0.01)
        return reply


class Gone(Exception):
    """kill -9, as the log sees it: no call ends, and nothing is committed any more."""


class Hosts:
    """Forwarders of one destination over one log, each with a data directory of its own."""

    def __init__(self, directory: Path, kind: type[Chain | Batches], kafka: Kafka | None) -> None:
        self.directory, self.kafka, self.upstream = directory, kafka, Slow()
        self.topics = Topics(f"hosts-{uuid4().hex[:12]}")
        self.destination, self.memory = kind(), MemoryLog(partitions=2)
        self.events = [make_event(number, f"v{number % 60}") for number in range(COUNT)]

    def host(self, name: str, clock: Clock, build: Build = build_delivery) -> World:
        directory = self.directory / name
        directory.mkdir(parents=True)
        host = World(directory, self.destination, self.upstream, self._log(directory), clock, build=build)
        host.topics = self.topics
        host.options = host.options.model_copy(update={"concurrency": CONCURRENCY, "timeout": 1e6})
        return host

    def _log(self, directory: Path) -> EventLog:
        if self.kafka is None:
            return self.memory
        return a_log(self.kafka.bootstrap, directory, *self.topics.all((self.destination.name,)), partitions=2)

    async def at_rest(self) -> None:
        """Nothing more comes."""
        seen, quiet = -1, 0
        async with asyncio.timeout(PATIENCE):
            while quiet < 50:
                await asyncio.sleep(0.01)
                quiet = quiet + 1 if len(self.upstream.received) == seen > 0 else 0
                seen = len(self.upstream.received)

    async def until_received(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.upstream.received) <= count:
                await asyncio.sleep(0.005)

    def twice(self) -> int:
        assert set(self.upstream.ids()) == {event.id for event in self.events}
        return len(self.upstream.ids()) - COUNT


class Silent(Ledger):
    """As it was: the offset, and nothing beside it."""

    def note(self, partition: int, offset: int) -> str:
        super().note(partition, offset)
        return ""


async def all_is_told(delivery: Delivery) -> None:
    """By commits, as far as they can."""
    relay, ledger = delivery.relay, delivery.relay.ledger
    async with asyncio.timeout(PATIENCE):
        while relay._committing.locked() or any(
            (held.stretch.first, held.note) != (end := held.offsets.committable, ledger._ahead.note(number, end))
            for number, held in ledger._partitions.items()
        ):
            await asyncio.sleep(0.005)


def build_silent(target: Target, status: Status, around: Surroundings) -> Delivery:
    delivery = build_delivery(target, status, around)
    delivery.relay.ledger.__class__ = Silent
    return delivery


async def taken_over(hosts: Hosts, build: Build) -> int:
    """One host is gone without a word while its oldest call hangs; another takes over. How many events came twice."""
    hosts.upstream.free.clear()
    first = hosts.host("first", HeldClock(), build)  # for it no time goes by: nothing is parked
    await first.append(*hosts.events)
    with contextlib.suppress(Gone):
        async with first.running() as delivery:
            await hosts.at_rest()
            await all_is_told(delivery)
            raise Gone
    assert 0 < len(hosts.upstream.received) < COUNT
    hosts.upstream.free.set()
    await hosts.host("second", SystemClock()).deliver()
    return hosts.twice()


LOGS = [False, pytest.param(True, marks=pytest.mark.kafka)]


@pytest.fixture(params=LOGS, ids=["memory", "kafka"])
def kafka_or_none(request: pytest.FixtureRequest) -> Kafka | None:
    return request.getfixturevalue("kafka") if request.param else None


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_of_a_host_that_is_gone_what_it_told_beside_its_offset_is_not_sent_again(
    tmp_path: Path, kafka_or_none: Kafka | None, kind: type[Chain | Batches]
) -> None:
    hosts = Hosts(tmp_path, kind, kafka_or_none)
    assert await taken_over(hosts, build_delivery) == 0
    assert in_order(hosts.upstream.received)


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_without_it_a_window_is(tmp_path: Path, kind: type[Chain | Batches]) -> None:
    """The negative control."""
    assert await taken_over(Hosts(tmp_path, kind, None), build_silent) > CONCURRENCY


async def until_shared(one: Delivery, other: Delivery, *, each: bool) -> None:
    """Both partitions are taken; `each` has one. In memory who came first has both, and the other is next in line."""
    async with asyncio.timeout(PATIENCE):
        while sorted(len(held.watch.ledger.partitions) for held in (one, other)) != ([1, 1] if each else [0, 2]):
            await asyncio.sleep(0.01)


async def left(hosts: Hosts, drain: float) -> int:
    """One of two ends while calls are under way. How many events came twice."""
    hosts.upstream.free.set()
    first, second = hosts.host("first", SystemClock()), hosts.host("second", SystemClock())
    await first.append(hosts.events[0])  # the topics are there
    async with contextlib.AsyncExitStack() as leaving:
        here = await leaving.enter_async_context(first.running(drain))
        async with second.running() as there:
            await until_shared(here, there, each=hosts.kafka is not None)
            await first.append(*hosts.events[1:])
            await hosts.until_received(COUNT // 2)
            await leaving.aclose()
            await second.until_committed()
    return hosts.twice()


async def test_who_goes_in_order_leaves_nothing_to_be_sent_again(tmp_path: Path, kafka_or_none: Kafka | None) -> None:
    hosts = Hosts(tmp_path, Chain, kafka_or_none)
    assert await left(hosts, drain=PATIENCE) == 0
    assert in_order(hosts.upstream.received)


async def test_who_cuts_off_what_is_under_way_leaves_it(tmp_path: Path) -> None:
    """The negative control. No call may be under way in the moment of the cut: until one was."""
    for number in range(ROUNDS):
        if await left(Hosts(tmp_path / str(number), Chain, None), drain=0.0) > 0:
            return
    raise AssertionError(f"in none of {ROUNDS} rounds")
