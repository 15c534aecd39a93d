"""What is late goes after what is in time: parked together, sent in full batches, and along with whatever its visitor
does next."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from base.clock import rfc3339
from base.reasons import Dead
from eventlog.erased import Erased
from eventlog.event import Event
from forwarder.destinations.base import Call, Verdict, delivered
from forwarder.errors import TransportError
from forwarder.keeping.parking import WINDOW
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, dated, make_event
from tests.forwarder.stand import TOPICS, Upstream, in_order
from tests.forwarder.test_troubles import until
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

DAY = 86_400.0
LATE = 100


class Deadlined(Batches):
    """Its journeys end after a day."""

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        verdict = super().classify(call, reply)
        late = {event.id for event in call.events if event.time < rfc3339(1_800_000_000.0 - DAY)}
        told = {
            name: delivered(late=True) if name in late and outcome.kind == "delivered" else outcome
            for name, outcome in verdict.outcomes.items()
        }
        return verdict._replace(outcomes=told)


class Stand:
    """The clock stands: what is in time stays so. One batch of late ones is due with each second that it is moved by."""

    def __init__(self, directory: Path, fault: Any = None, **settings: Any) -> None:
        self.upstream, self.clock, self.erased = Upstream(fault or (lambda _call: None)), HeldClock(), Erased(read=True)
        self.destination = Deadlined(batch=replace(Batches().batch, late_after=DAY))
        self.world = World(
            directory,
            self.destination,
            self.upstream,
            clock=self.clock,
            settings=ForwarderSettings(**settings),
            erased=self.erased,
        )

    def moves(self, seconds: float = 0.01) -> bool:
        self.clock.advance(seconds)
        return True

    async def ticks_until_received(self, count: int) -> None:
        await until(lambda: self.moves() and len(set(self.upstream.ids())) >= count)

    def visitors(self) -> list[list[str]]:
        return [[event["subject"] for event in call["events"]] for call in self.upstream.calls]


def late_ones(count: int = LATE, visitors: int = LATE, first: int = 0) -> list[Event]:
    return [dated(make_event(first + number, f"late{number % visitors}"), 2 * DAY) for number in range(count)]


def in_time(count: int, first: int = LATE) -> list[Event]:
    return [make_event(first + number, f"now{number}") for number in range(count)]


async def places_of_those_in_time(stand: Stand) -> list[int]:
    """What was delivered before each of them."""
    await stand.world.append(*late_ones(), *in_time(40))
    async with stand.world.running() as delivery:
        await stand.ticks_until_received(LATE + 40)
        await until(lambda: delivery.watch.parking.count() == 0 and delivery.watch.status.delivered == LATE + 40)
        assert delivery.watch.status.late == LATE
        assert delivery.relay.metrics.late.labels("batches")._value.get() == LATE
        await stand.world.until_committed()
    assert sorted(stand.upstream.ids()) == [f"event-{number:05}" for number in range(LATE + 40)]
    return [place for place, event_id in enumerate(stand.upstream.ids()) if event_id >= f"event-{LATE:05}"]


async def test_what_is_in_time_goes_first_and_the_late_ones_in_full_batches(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    assert max(await places_of_those_in_time(stand)) < LATE  # late ones have a turn now and then
    assert len(stand.upstream.calls) <= 2 * (LATE + 40) // stand.destination.batch.events


async def test_without_room_for_late_ones_all_go_in_the_logs_order(tmp_path: Path) -> None:
    """The negative control, and what a full lane does."""
    stand = Stand(tmp_path, late_parked=0)
    stand.world.options = stand.world.options.model_copy(update={"concurrency": 1})
    assert min(await places_of_those_in_time(stand)) == LATE
    assert await stand.world.standing(TOPICS.parked.name) == {}


async def test_where_the_process_is_what_all_wait_for_all_go_in_the_logs_order(tmp_path: Path) -> None:
    """But for the first ones: then it is seen who is waited for."""
    stand = Stand(tmp_path)
    stand.world.cpu = stand.clock.monotonic
    stand.world.options = stand.world.options.model_copy(update={"concurrency": 1})
    await stand.world.append(*late_ones(1000, 1000))
    async with stand.world.running() as delivery:
        most = 0
        for number in range(400):
            most = max(most, delivery.watch.parking.count())
            await stand.world.append(*late_ones(1, 1, 1000 + number))
            stand.moves()
            await asyncio.sleep(0)
        await stand.ticks_until_received(1400)
    assert 0 < most < 1400


async def test_who_comes_again_brings_their_late_ones_along(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.destination.batch = replace(stand.destination.batch, events=200)
    await stand.world.append(*late_ones(30, 3), make_event(30, "late1"), *late_ones(30, 3, 40), make_event(90, "late2"))
    async with stand.world.running():
        stand.clock.advance(0.05)
        await stand.ticks_until_received(62)
    assert in_order(stand.upstream.received)
    assert len(stand.upstream.ids()) == 62
    assert stand.visitors()[0].count("late1") + stand.visitors()[0].count("late2") > 40


@pytest.mark.parametrize("late", [8, WINDOW + 5])
async def test_those_that_come_again_all_at_once_go_in_batches_too(tmp_path: Path, late: int) -> None:
    """Late ones of all of them don't fit into one batch, nor in the end those of one of them."""
    stand = Stand(tmp_path)
    visitors = 10 if late < WINDOW else 1
    await stand.world.append(*late_ones(late * visitors, visitors))
    async with stand.world.running() as delivery:
        stand.upstream.fault = lambda _call: Reply(503)
        await until(lambda: stand.moves() and delivery.watch.parking.count() > 3 * late * visitors // 4)
        stand.upstream.fault = lambda _call: None
        await stand.world.append(*(make_event(9000 + number, f"late{number}") for number in range(visitors)))
        await stand.ticks_until_received((late + 1) * visitors)
        await until(lambda: delivery.watch.parking.count() == 0)
        await stand.world.until_committed()
    assert in_order(stand.upstream.received)
    assert len(stand.upstream.ids()) == (late + 1) * visitors
    assert stand.upstream.overlaps == 0


@pytest.mark.parametrize("status", [400, 500])
async def test_one_that_spoils_a_late_batch_is_found_out_and_the_others_go(tmp_path: Path, status: int) -> None:
    poison = "event-00042"
    stand = Stand(tmp_path, lambda call: Reply(status) if poison in [e["id"] for e in call["events"]] else None)
    await stand.world.append(*late_ones(LATE, LATE // 2))
    async with stand.world.running():
        others = LATE - (1 if status == 400 else 2)  # the visitor's later one waits behind it
        await until(lambda: stand.moves(0.2) and len(stand.upstream.received) == others)
        waits = {} if status == 400 else {poison, "event-00092"}
        await until_parked(stand, {f"{event_id}:batches" for event_id in waits})
    letters = await stand.world.standing(TOPICS.dead_letters.name)
    assert [letter["reason"] for letter in letters.values()] == ([Dead.REFUSED] if status == 400 else [])


async def until_parked(stand: Stand, keys: set[str]) -> None:
    async with asyncio.timeout(60):
        while set(await stand.world.standing(TOPICS.parked.name)) != keys:
            stand.clock.advance(0.2)
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("lost", [False, True], ids=["restart", "another-host"])
async def test_a_kill_and_a_takeover_keep_them_waiting_and_send_what_was_in_flight_at_most(
    tmp_path: Path, lost: bool
) -> None:
    stand = Stand(tmp_path / "first")
    await stand.world.append(*late_ones(), *in_time(40))
    async with stand.world.running(drain=0.0) as delivery:
        stand.upstream.pauses = lambda: 0 if stand.upstream.calls[3:] else 1
        await until(lambda: stand.moves() and delivery.watch.parking.count() > 0)
    if lost:
        stand.world.directory = tmp_path / "second"
    async with stand.world.running() as delivery:
        await stand.ticks_until_received(LATE + 40)
        await until(lambda: delivery.watch.parking.count() == 0)
        await stand.world.until_committed()
    assert await stand.world.standing(TOPICS.parked.name) == {}
    assert len(stand.upstream.ids()) - (LATE + 40) <= stand.world.options.concurrency * stand.destination.batch.events


async def test_a_day_in_the_lane_is_not_held_against_one_that_fails_then(tmp_path: Path) -> None:
    """Its own day begins with that: until then nobody could try it."""
    poison = "event-00002"
    stand = Stand(tmp_path, lambda _call: Reply(503))
    await stand.world.append(*late_ones(5), *in_time(1))
    async with stand.world.running() as delivery:
        await until(lambda: stand.moves() and delivery.watch.parking.count() == 5)
        await until(lambda: stand.moves() and delivery.watch.breaker.state != "running")
        for _ in range(30):
            stand.clock.advance(DAY / 20)
            await asyncio.sleep(0.01)
        stand.upstream.fault = lambda call: Reply(500) if poison in [e["id"] for e in call["events"]] else None
        await until(lambda: stand.moves(1.0) and len(stand.upstream.received) == 5)
        await until(lambda: stand.moves(1.0) and not delivery.watch.parking.late([0], (), 1))
        assert len(await stand.world.standing(TOPICS.parked.name)) == 1
        stand.upstream.fault = lambda _call: None
        await until(lambda: stand.moves(5.0) and delivery.watch.parking.count() == 0)
    assert await stand.world.standing(TOPICS.dead_letters.name) == {}


async def test_of_who_is_erased_nothing_waits_or_goes_out(tmp_path: Path) -> None:
    stand = Stand(tmp_path, lambda _call: Reply(503))
    await stand.world.append(*late_ones(20, 2))
    async with stand.world.running() as delivery:
        await until(lambda: delivery.watch.parking.count() == 20)
        for record in stand.erased.entries(TOPICS.erased.name, ["late0"], (), stand.clock.now()):
            await stand.world.append_records(record)
        for stored in await stand.world.records(TOPICS.erased.name):
            stand.erased.take(stored)
        await delivery.forgetter.catch_up()
        stand.upstream.fault = lambda _call: None
        await until(lambda: stand.moves(1.0) and delivery.watch.parking.count() == 0)
    assert {subject for _, subject in stand.upstream.received} == {"late1"}


async def test_where_each_event_is_a_call_they_go_visitor_by_visitor(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    stand.world.destination = Chain(batch=replace(Chain().batch, late_after=DAY))
    await stand.world.append(*late_ones(LATE, 7), *in_time(40))
    async with stand.world.running() as delivery:
        await stand.ticks_until_received(LATE + 40)
        await until(lambda: delivery.watch.parking.count() == 0)
        await stand.world.until_committed()
    assert in_order(stand.upstream.received)
    assert max(place for place, (_, who) in enumerate(stand.upstream.received) if who.startswith("now")) < LATE


async def test_what_the_destination_does_not_want_does_not_wait(tmp_path: Path) -> None:
    stand = Stand(tmp_path, lambda _call: Reply(503))
    await stand.world.append(*(dated(make_event(number, f"v{number}", "sensors"), 2 * DAY) for number in range(9)))
    async with stand.world.running() as delivery:
        await until(lambda: stand.moves() and delivery.watch.status.filtered.total() == 9)
        assert (delivery.watch.parking.count(), delivery.watch.status.filtered) == (0, {"high_volume": 9})
