"""Credentials, refusals in a row, parking, outages: what the engine does when it is not one event's fault, or is."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.reasons import Dead
from eventlog.event import Event
from forwarder.build import Delivery
from forwarder.destinations.base import Call, Fact, Facts, Plan, Verdict, dead, visitor_key
from forwarder.errors import TransportError
from forwarder.keeping.parking import WINDOW
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, make_event, request
from tests.forwarder.stand import TOPICS, Upstream, in_order, numbered
from tests.forwarder.world import HeldClock, World
from tests.support.said import Said

pytestmark = pytest.mark.anyio


PAUSES = ("destination.paused", "destination.resumed")


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.002)


def status_of(world: World, delivery: Delivery) -> dict[str, Any]:
    delivery.watch.show()
    path = world.directory / "forwarder" / f"{world.destination.name}.status.json"
    status: dict[str, Any] = orjson.loads(path.read_bytes())
    return status


async def test_an_expired_token_is_asked_for_once_by_all_who_need_it(tmp_path: Path) -> None:
    upstream = Upstream(pauses=lambda: 3)
    expired = {"secret-token-1"}
    answer = upstream._answer

    def expiring(call: dict[str, Any], authorization: str) -> Reply:
        if authorization.removeprefix("Bearer ") in expired and len(upstream.received) >= 20:
            return Reply(401)
        return answer(call, authorization)

    upstream._answer = expiring  # type: ignore[method-assign]
    world = World(tmp_path, Chain(), upstream)
    issued = list(numbered(100, 40))
    await world.append(*issued)
    await world.deliver()
    assert sorted(upstream.ids()) == sorted(event.id for event in issued)
    assert upstream.tokens == 2


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_wrong_credentials_pause_and_cost_no_event(tmp_path: Path, kind: type[Chain] | type[Batches]) -> None:
    wrong = True
    upstream = Upstream(fault=lambda call: Reply(401) if wrong and call["purpose"] != "token" else None)
    said = Said()
    world = World(tmp_path, kind(), upstream, logger=said)
    issued = list(numbered(30, 10))
    await world.append(*issued)
    async with world.running() as delivery:
        await until(lambda: status_of(world, delivery)["state"] == "paused")
        assert status_of(world, delivery)["reason"] == "credentials"
        wrong = False
        await world.until_committed()
        assert status_of(world, delivery)["state"] == "running"
    assert [event for event in said.events() if event in PAUSES] == list(PAUSES)
    assert sorted(upstream.ids()) == sorted(event.id for event in issued)
    assert in_order(upstream.received)


async def test_the_same_refusal_again_and_again_pauses_instead_of_burying_all(tmp_path: Path) -> None:
    wrong = True
    upstream = Upstream(fault=lambda call: Reply(404, {}, b"no such asset") if wrong else None)
    world = World(tmp_path, Batches(), upstream, settings=ForwarderSettings(same_refusals=5))
    await world.append(*numbered(40, 40))
    async with world.running() as delivery:
        await until(lambda: status_of(world, delivery)["state"] == "paused")
        assert status_of(world, delivery)["reason"] == "same_refusal"
        wrong = False
        await world.until_committed()
    buried = await world.standing(TOPICS.dead_letters.name)
    assert len(buried) == 4
    assert len(set(upstream.ids())) == 36


async def test_what_is_replayed_and_refused_again_keeps_nobody_waiting(tmp_path: Path) -> None:
    def picky(call: dict[str, Any]) -> Reply | None:
        bad = any(event["subject"] == "bad" for event in call["events"])
        return Reply(404, {}, b"no such asset") if bad else None

    upstream = Upstream(fault=picky)
    world = World(tmp_path, Batches(), upstream, settings=ForwarderSettings(same_refusals=5))
    again = [make_event(number, "bad")._replace(replayed=True) for number in range(40)]
    await world.append(*again, make_event(40, "good"))
    async with world.running() as delivery:
        await world.until_committed()
        assert status_of(world, delivery)["state"] == "running"
    assert upstream.ids() == ["event-00040"]
    assert len(await world.standing(TOPICS.dead_letters.name)) == 40


class Registers(Batches):
    """Of a batch, a call for each: as EngageLab's people are registered."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return Plan(tuple(Call("register", request("register", (event,)), (event,)) for event in events))


@pytest.mark.parametrize("kind", [Chain, Registers])
async def test_a_destination_that_is_down_is_asked_by_one_at_a_time(
    tmp_path: Path, kind: type[Chain | Registers]
) -> None:
    down = True
    upstream = Upstream(fault=lambda _call: Reply(503) if down else None, pauses=lambda: 2)
    world = World(tmp_path, kind(), upstream)
    await world.append(*numbered(200, 100))
    async with world.running() as delivery:
        await until(lambda: len(upstream.calls) > 40)
        assert status_of(world, delivery)["state"] == "troubled"
        upstream.most = 0
        before = len(upstream.calls)
        await until(lambda: len(upstream.calls) > before + 20)
        assert upstream.most == 1
        down = False
        await world.until_committed()
    assert len(set(upstream.ids())) == 200
    assert in_order(upstream.received)
    assert await world.standing(TOPICS.parked.name) == {}


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_what_keeps_failing_while_others_pass_is_parked_with_all_behind_it(
    tmp_path: Path, kind: type[Chain] | type[Batches]
) -> None:
    poisonous = True

    def poison(call: dict[str, Any]) -> Reply | None:
        ids = [event["id"] for event in call["events"]]
        return Reply(500) if poisonous and "event-00010" in ids and call["purpose"] != "init" else None

    upstream = Upstream(fault=poison)
    world = World(tmp_path, kind(), upstream, settings=ForwarderSettings(park_after=20.0, parked_hours=1e6))
    mine = [make_event(number, "poor") for number in (10, 11, 12)]
    await world.append(*(make_event(number, f"a{number}") for number in range(5)), *mine)
    number = 100
    async with world.running() as delivery:
        async with asyncio.timeout(60):
            while delivery.watch.parking.count() < 3:
                await world.append(make_event(number, f"b{number}"))
                number += 1
                await asyncio.sleep(0.01)
        await world.until_committed()  # although one event still fails
        assert upstream.of("poor") == []
        await world.append(make_event(99, "poor"))  # comes later, waits behind
        await world.until_committed()
        assert delivery.watch.parking.count() == 4
        poisonous = False
        world.clock.advance(1e5)  # type: ignore[attr-defined]
        delivery.watch.engine.accept([])
        await until(lambda: delivery.watch.parking.count() == 0)
    assert upstream.of("poor") == ["event-00010", "event-00011", "event-00012", "event-00099"]
    assert await world.standing(TOPICS.parked.name) == {}
    assert await world.standing(TOPICS.dead_letters.name) == {}


async def test_a_device_without_contact_waits_and_goes_on_when_one_is_told(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path, Chain(), upstream)
    await world.append(*(make_event(number, "m1") for number in range(3)), make_event(3, "v2"))
    await world.deliver()
    assert upstream.ids() == ["event-00003"]
    assert {letter["reason"] for letter in (await world.standing(TOPICS.parked.name)).values()} == {"waits_for_contact"}
    world.directory = tmp_path / "another-host"
    await world.append(make_event(4, "m1"), make_event(5, "m1", "init", email="a@b.example"), make_event(6, "m1"))
    await world.deliver()
    assert upstream.of("m1") == [f"event-0000{number}" for number in (0, 1, 2, 4, 5, 6)]
    assert await world.standing(TOPICS.parked.name) == {}


async def test_a_contact_frees_also_those_who_have_waited_long_and_have_much(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path, Chain(), upstream)
    count = 2 * WINDOW + 10
    await world.append(*(make_event(number, "m1") for number in range(count)))
    await world.deliver()
    assert upstream.ids() == []
    await world.append(make_event(90_000, "m1", "init", email="a@b.example"))
    async with world.running() as delivery:
        await world.until_committed()
        await until(lambda: delivery.watch.parking.count() == 0)
    assert sorted(upstream.ids()) == sorted([*(f"event-{number:05}" for number in range(count)), "event-90000"])
    assert in_order([received for received in upstream.received if received[0] != "event-90000"])


async def test_refused_at_the_first_step_of_a_chain_pauses_too(tmp_path: Path) -> None:
    class Refusing(Chain):
        """Its init is refused: a fact says so, and the next plan buries the event."""

        def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
            if facts.get(f"{visitor_key(events[0])}/refusal"):
                return Plan(settled={event.id: dead(Dead.UPSTREAM_INIT_REFUSED, "no such key") for event in events})
            return super().plan(events, facts, now)

        def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
            if call.purpose == "init" and isinstance(reply, Reply) and reply.status == 403:
                subject = orjson.loads(call.request.body)["events"][0]["subject"]
                return Verdict(facts=(Fact(f"shop/{subject}/refusal", {"said": "no"}),))
            return super().classify(call, reply)

    upstream = Upstream(fault=lambda call: Reply(403, {}, b"no such key") if call["purpose"] == "init" else None)
    world = World(tmp_path, Refusing(), upstream, settings=ForwarderSettings(same_refusals=5))
    await world.append(*numbered(40, 40))
    async with world.running() as delivery:
        await until(lambda: status_of(world, delivery)["state"] == "paused")
        await until(lambda: len(upstream.calls) > 20)  # it goes on probing
    letters = await world.standing(TOPICS.dead_letters.name)
    assert len(letters) == 4
    assert all(letter["reply"]["body"] == "no such key" for letter in letters.values())


async def test_a_device_that_never_tells_a_contact_is_a_dead_letter_in_the_end(tmp_path: Path) -> None:
    clock = HeldClock()
    world = World(tmp_path, Chain(), Upstream(), clock=clock, settings=ForwarderSettings(parked_hours=24))
    await world.append(make_event(1, "m1"), make_event(2, "m1"))
    async with world.running():
        await world.until_committed()
        clock.advance(23 * 3600)
        await world.append(make_event(3, "v3"))
        await world.until_committed()
    async with world.running() as delivery:
        clock.advance(10)
        await asyncio.sleep(0.1)
        assert delivery.watch.parking.count() == 2
        clock.advance(3600)
        await until(lambda: delivery.watch.parking.count() == 0)
    letters = await world.standing(TOPICS.dead_letters.name)
    assert [(key, letter["reason"]) for key, letter in letters.items()] == [
        ("event-00001:chain", "upstream_init_refused"),
        ("event-00002:chain", "upstream_init_refused"),
    ]
    assert await world.standing(TOPICS.parked.name) == {}


async def test_a_plan_that_gets_nowhere_buries_its_event_and_not_the_others(tmp_path: Path) -> None:
    class Broken(Batches):
        def plan(self, events: Any, facts: Any, now: float) -> Any:
            if any(event.id == "event-00003" for event in events):
                raise ZeroDivisionError
            return super().plan(events, facts, now)

    upstream = Upstream()
    world = World(tmp_path, Broken(), upstream)
    await world.append(*numbered(8, 3))
    await world.deliver()
    assert len(upstream.ids()) == 7
    (letter,) = (await world.standing(TOPICS.dead_letters.name)).values()
    assert (letter["id"], letter["reason"]) == ("event-00003", "bad_mapping")


async def test_no_more_is_taken_than_may_be_unsettled(tmp_path: Path) -> None:
    upstream = Upstream(fault=lambda _call: Reply(503))
    world = World(tmp_path, Chain(), upstream, settings=ForwarderSettings(unsettled=50, batch_records=20))
    await world.append(*numbered(500, 100))
    async with world.running() as delivery:
        await until(lambda: len(upstream.calls) > 30)
        assert 0 < delivery.watch.ledger.waiting <= 50


async def test_the_calls_in_flight_may_end_when_it_is_told_to(tmp_path: Path) -> None:
    upstream = Upstream(pauses=lambda: 50)
    world = World(tmp_path, Chain(), upstream)
    await world.append(*numbered(60, 60))
    async with world.running():
        await until(lambda: len(upstream.flying) > 5)
    scanner = await world.log.open_scanner()
    committed = (await scanner.committed(TOPICS.group("chain"), TOPICS.events.name))[0]
    await world.deliver()
    assert committed > 0
    assert sorted(upstream.ids()) == sorted(set(upstream.ids()))
    assert len(upstream.ids()) == 60
