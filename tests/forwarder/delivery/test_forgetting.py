"""Who was erased, at one destination: what had come of them isn't sent, what was known of them goes, who comes back is new."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from base.clock import ManualClock, rfc3339
from base.logs import quiet_logger
from eventlog.erased import FRESH_SECONDS, key_record, take_in
from eventlog.event import Event
from forwarder.build import Delivery
from forwarder.destinations.base import Destination
from forwarder.keeping.store import Store
from forwarder.transport import Reply
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio
FACTS = TOPICS.facts("chain").name
SECRET = "ann@shop.example"
NOW = 1_800_000_000.0


class Clock(ManualClock):
    """Who sleeps lets the others go first, and time stands."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.002)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, Chain(), Upstream(), clock=Clock())


def came(world: World, number: int, subject: str, **data: Any) -> Event:
    return make_event(number, subject, **data)._replace(receivedtime=rfc3339(world.clock.now()))


async def erase(world: World, *ids: str, known: tuple[str, ...] = ()) -> None:
    """As `ochn erase` does it, a second after all that has come."""
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(1)
    topic, scanner = TOPICS.erased.name, await world.log.open_scanner()
    if not world.erased.has_key:
        await world.append_records(key_record(topic, bytes(range(32)), 0.0))
        await take_in(world.erased, scanner, topic)
    await world.append_records(*world.erased.entries(topic, ids, known, world.clock.now()))
    await hear(world)


async def hear(world: World) -> None:
    await take_in(world.erased, await world.log.open_scanner(), TOPICS.erased.name)


def holds(world: World) -> list[str]:
    return [
        path.name for path in sorted((world.directory / "forwarder").glob("*")) if SECRET.encode() in path.read_bytes()
    ]


async def test_what_waits_is_not_sent_and_the_next_that_comes_is(world: World) -> None:
    await world.append(came(world, 1, "ann"), came(world, 2, "bob"))
    await erase(world, "ann")
    await world.append(came(world, 3, "ann"), came(world, 4, "till")._replace(person="ann"))
    await world.deliver()
    assert sorted(world.upstream.ids()) == ["event-00002", "event-00003", "event-00004"]  # type: ignore[attr-defined]
    (told, *_) = [r async for r in (await world.log.open_scanner()).scan(TOPICS.receipts.name)]
    assert b'"outcome":"filtered","reason":"erased"' in (told.value or b"")


async def test_without_the_list_it_would_be_sent(world: World) -> None:
    await world.append(came(world, 1, "ann"))
    await erase(world, "ann")
    world.erased = type(world.erased)(read=True)
    await world.deliver()
    assert world.upstream.ids() == ["event-00001"]  # type: ignore[attr-defined]


async def test_what_was_known_is_in_no_file_and_no_topic_while_others_stay(world: World) -> None:
    await world.append(*(came(world, number, who, email=SECRET) for number, who in enumerate(("ann", "till", "bob"))))
    async with world.running() as delivery:
        await world.until_committed()
        await delivery.store.settled()
        assert holds(world) != []
        await erase(world, "ann", known=("till",))
        await delivery.forgetter.catch_up()
        kept = await world.standing(FACTS)
        assert kept.keys() == {"bob"}
        assert [owner for (owner,) in delivery.store.read("SELECT owner FROM facts")] == ["bob"]
        await erase(world, "bob")
        await delivery.forgetter.catch_up()
        assert holds(world) == []
        await world.append(came(world, 9, "till", email="new@shop.example"))
        await world.until_committed()
        await delivery.forgetter.catch_up()
        assert (await world.standing(FACTS)).keys() == {"till"}


async def test_what_is_parked_goes_with_a_receipt_and_no_dead_letter_is_made(world: World) -> None:
    await world.append(came(world, 1, "m-ann"), came(world, 2, "m-bob"))
    async with world.running() as delivery:
        await world.until_committed()
        assert delivery.watch.parking.count() == 2
        await erase(world, "m-ann")
        await delivery.forgetter.catch_up()
        assert delivery.watch.parking.count() == 1
    assert (await world.standing(TOPICS.parked.name)).keys() == {"event-00002:chain"}
    assert world.upstream.ids() == []  # type: ignore[attr-defined]


async def test_a_call_that_was_under_way_teaches_nothing_that_stays(world: World) -> None:
    """Its answer comes after the list said so."""
    gate = asyncio.Event()

    class Slow(Upstream):
        async def send(self, request: Any, deadline: float) -> Reply:
            await gate.wait()
            return await super().send(request, deadline)

    world.upstream = Slow()
    await world.append(came(world, 1, "ann"))
    async with world.running() as delivery:
        while not delivery.relay.engine.in_flight:
            await asyncio.sleep(0.001)
        await erase(world, "ann")
        forgetting = asyncio.create_task(delivery.forgetter.catch_up())
        await asyncio.sleep(0.02)
        assert not forgetting.done()
        gate.set()
        await forgetting
        await world.until_committed()
    assert await world.standing(FACTS) == {}
    assert world.upstream.received == []


class Gated(Upstream):
    """Nothing is answered before `gate` is set."""

    gate: asyncio.Event

    async def send(self, request: Any, deadline: float) -> Reply:
        reply = await super().send(request, deadline)
        await self.gate.wait()
        return reply


async def erased_under_way(world: World, *, hears: bool) -> list[str]:
    """Four of one visitor go out by one plan; they are erased during the first call. What is sent."""
    world.upstream = upstream = Gated()
    upstream.gate = asyncio.Event()
    upstream.gate.set()
    await world.append(came(world, 0, "ann"))
    async with world.running() as delivery:
        await world.until_committed()
        calls = delivery.relay.engine.rounds.calls
        calls.erased = world.erased if hears else type(world.erased)(read=True)
        upstream.gate.clear()
        await world.append(*(came(world, number, "ann") for number in range(1, 5)))
        while len(upstream.ids()) < 2:
            await asyncio.sleep(0.001)
        await erase(world, "ann")
        upstream.gate.set()
        await world.until_committed()
    return upstream.ids()


async def test_of_what_was_planned_before_only_the_call_under_way_ends(world: World) -> None:
    assert await erased_under_way(world, hears=True) == ["event-00000", "event-00001"]


async def test_the_plan_alone_would_send_what_it_made(world: World) -> None:
    """The negative control."""
    assert len(await erased_under_way(world, hears=False)) == 5


async def test_who_stood_still_looks_at_the_list_before_the_next_call(world: World) -> None:
    world.erased.looked = world.clock.monotonic() - FRESH_SECONDS - 1
    await world.append(came(world, 1, "ann"), came(world, 2, "bob"))
    async with world.running() as delivery:
        while not delivery.relay.engine.in_flight:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert world.upstream.calls == []  # type: ignore[attr-defined]
        await erase(world, "ann")
        world.erased.looked = world.clock.monotonic()
        await world.until_committed()
    assert world.upstream.ids() == ["event-00002"]  # type: ignore[attr-defined]


async def test_it_obeys_at_its_start_and_once(world: World) -> None:
    await world.append(came(world, 1, "ann", email=SECRET))
    await world.deliver()
    await erase(world, "ann")
    async with world.running() as delivery:
        await delivery.forgetter.catch_up()
        assert delivery.store.read("SELECT owner FROM facts") == []
        await world.append(came(world, 2, "ann", email=SECRET))
        await world.until_committed()
    async with world.running() as delivery:
        await delivery.forgetter.catch_up()
        assert [owner for (owner,) in delivery.store.read("SELECT owner FROM facts")] == ["ann"]


async def test_a_store_that_is_filled_anew_takes_in_nothing_from_before(world: World) -> None:
    await world.append(came(world, 1, "ann", email=SECRET), came(world, 2, "bob", email="bob@shop.example"))
    await world.deliver()
    await erase(world, "ann")
    for path in (world.directory / "forwarder").glob("*.db*"):
        path.unlink()
    async with world.running() as delivery:
        await world.append(came(world, 3, "bob"))
        await world.until_committed()
        assert [owner for (owner,) in delivery.store.read("SELECT owner FROM facts")] == ["bob"]


def owners(delivery: Delivery) -> set[str]:
    return {owner for (owner,) in delivery.store.read("SELECT owner FROM facts")}


async def test_what_is_known_of_who_was_not_seen_for_long_expires(world: World) -> None:
    assert isinstance(world.clock, ManualClock)
    await world.append(*(came(world, number, who) for number, who in enumerate(("ann", "bob", "zoe"))))
    async with world.running() as delivery:
        await world.until_committed()
        await delivery.store.settled()
        for days in (300, 99):
            world.clock.advance(days * 86_400)
            await delivery.forgetter.expire()  # what is in memory is read anew from then on
            await world.append(came(world, days, "bob"))
            await world.until_committed()
        assert owners(delivery) == {"ann", "bob", "zoe"}
        world.clock.advance(2 * 86_400)
        await delivery.forgetter.expire()
        assert (owners(delivery), set(await world.standing(FACTS))) == ({"bob"}, {"bob"})
        await world.append(came(world, 999, "ann"))
        await world.until_committed()
        assert owners(delivery) == {"ann", "bob"}


async def test_of_a_partition_of_others_only_what_is_here_expires(world: World) -> None:
    assert isinstance(world.clock, ManualClock)
    await world.append(came(world, 1, "ann"))
    async with world.running() as delivery:
        await world.until_committed()
        delivery.relay.ledger.revoke(0)
        world.clock.advance(401 * 86_400)
        await delivery.forgetter.expire()
        assert (owners(delivery), set(await world.standing(FACTS))) == (set(), {"ann"})


async def test_a_store_of_before_counts_from_now(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as before:
        before.execute("CREATE TABLE facts (owner TEXT PRIMARY KEY, doc BLOB NOT NULL) WITHOUT ROWID")
        before.execute("INSERT INTO facts VALUES ('ann', '{}')")
    before.close()
    for _ in range(2):
        store = Store(path, ManualClock(NOW), quiet_logger())
        assert store.read("SELECT owner, seen FROM facts") == [("ann", NOW)]
        await store.close(5)


async def test_nothing_of_theirs_is_kept_while_the_destination_is_away(world: World) -> None:
    """Neither parked nor a dead letter, whatever was on its way."""

    class Refusing(Chain):
        def plan(self, events: Any, facts: Any, now: float) -> Any:
            raise RuntimeError("a mapping that fails makes a dead letter")

    refusing: Destination = Refusing()
    world.destination = refusing
    await world.append(came(world, 1, "ann"), came(world, 2, "bob"))
    await erase(world, "ann")
    await world.deliver()
    assert (await world.standing(TOPICS.dead_letters.name)).keys() == {"event-00002:chain"}
