"""Late events beside others of their visitor, and beside other visitors: who they are of, what they wait for, and whose
they are when a partition goes."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.clock import rfc3339
from eventlog.event import Event
from eventlog.memory import MemoryLog
from forwarder.destinations.netcore import Netcore, NetcoreSettings
from forwarder.settings import ForwarderSettings
from forwarder.transport import MemoryTransport, Reply, Request
from tests.forwarder.small import Batches, dated, make_event
from tests.forwarder.stand import TOPICS, Upstream, in_order
from tests.forwarder.test_late_lane import DAY, LATE, Stand, late_ones
from tests.forwarder.test_troubles import until
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

HOUR = 3600.0
POISON = "event-05000"


def poisoned(call: dict[str, Any]) -> Reply | None:
    return Reply(500) if POISON in [event["id"] for event in call["events"]] else None


@pytest.mark.parametrize("room", [500_000, 0], ids=["lane", "no-lane"])
async def test_nobodys_late_events_go_out_as_who_came_to_the_device_later(tmp_path: Path, room: int) -> None:
    clock, sent = HeldClock(), list[dict[str, Any]]()

    def answer(request: Request) -> Reply:
        sent.extend(orjson.loads(request.body))
        return Reply(200, {}, b'{"status":"success"}')

    def of(number: int, **data: Any) -> Event:
        return make_event(number, "tablet", **data)._replace(time=rfc3339(clock.now() - (60 - number) * HOUR / 2))

    settings = NetcoreSettings.model_validate(
        {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "web", "primary_key": "email"}
    )
    netcore = Netcore("netcore", settings)
    world = World(tmp_path, netcore, MemoryTransport(answer), clock=clock, options=settings)
    world.settings = ForwarderSettings(late_parked=room)
    anna, ben = of(1, email="anna@example.com"), of(4, email="ben@example.com")
    for events in ([anna], [of(2), of(3), ben, of(5)]):
        async with world.running() as delivery:
            await world.append(*events)
            await until(lambda: clock.advance(0.01) is None and delivery.watch.status.delivered == len(events))  # type: ignore[func-returns-value] # noqa: B023
    assert [activity["identity"].split("@")[0] for activity in sent] == ["anna"] * 3 + ["ben"] * 2


async def test_only_those_who_come_again_bring_theirs_along(tmp_path: Path) -> None:
    """Not who has a late one more beside them in the unit."""
    stand = Stand(tmp_path)
    stand.world.options = stand.world.options.model_copy(update={"concurrency": 1})
    kiosk = [dated(make_event(number, "kiosk"), 2 * DAY) for number in range(150)]
    beside = [dated(make_event(1000, "kiosk"), 2 * DAY), make_event(1001, "late0")]
    await stand.world.append(
        *late_ones(1, 1, 200), *kiosk, *beside, *(make_event(1002 + n, f"v{n}") for n in range(17))
    )
    async with stand.world.running():
        await until(lambda: stand.moves() and "event-01001" in stand.upstream.ids())
        (first, *_) = [
            call["events"]
            for call in stand.upstream.calls
            if {"id": "event-01001", "subject": "late0"} in call["events"]
        ]
        assert {event["subject"] for event in first} >= {"late0"}
        assert len(first) <= stand.destination.batch.events + 1
        await stand.ticks_until_received(1 + 150 + 2 + 17)
    assert in_order(stand.upstream.received)


@pytest.mark.parametrize("mine", [20, 5], ids=["a-batch-of-theirs", "less"])
async def test_a_busy_visitor_does_not_hold_up_the_lane(tmp_path: Path, mine: int) -> None:
    """What they did in time keeps failing, with all that came along; the late ones of all others go."""
    stand = Stand(tmp_path, poisoned)
    late = [dated(make_event(n, "v" if n < mine else f"late{n}"), 2 * DAY) for n in range(LATE)]
    await stand.world.append(*late, make_event(5000, "v"), *(make_event(5001 + n, f"v{n}") for n in range(19)))
    async with stand.world.running() as delivery:
        others = LATE - mine
        await until(
            lambda: stand.moves(0.05) and sum(who.startswith("late") for _, who in stand.upstream.received) == others
        )
        assert delivery.watch.parking.count() >= mine  # those are still where they were


class Held(Upstream):
    """The next call is answered 500 once `gate` is set."""

    gate: asyncio.Event | None = None

    async def send(self, request: Request, deadline: float) -> Reply:
        if (gate := self.gate) is not None:
            await gate.wait()
            return Reply(500)
        return await super().send(request, deadline)


def two_hosts(directory: Path, upstream: Upstream) -> tuple[MemoryLog, World, World]:
    log, destination = MemoryLog(), Batches(batch=replace(Batches().batch, late_after=DAY))
    here, there = (
        World(directory / name, destination, upstream, log, clock)
        for name, clock in (("a", HeldClock()), ("b", HeldClock()))
    )
    for world in (here, there):
        world.options = world.options.model_copy(update={"concurrency": 1, "timeout": 1e6})
    return log, here, there


def evict(log: MemoryLog) -> None:
    log.evict(TOPICS.group("batches"), TOPICS.events.name)


async def ticking(*worlds: World) -> None:
    while True:
        for world in worlds:
            assert isinstance(world.clock, HeldClock)
            world.clock.advance(0.05)
        await asyncio.sleep(0.002)


async def test_what_waited_with_its_late_ones_while_another_had_them_is_not_sent_again(tmp_path: Path) -> None:
    upstream = Upstream(lambda _call: Reply(500))
    log, here, there = two_hosts(tmp_path, upstream)
    late, again = late_ones(20), [make_event(100 + number, f"late{number}") for number in range(20)]
    await here.append(*late, *again)
    async with here.running() as waiting:
        await until(lambda: bool(upstream.calls and not waiting.relay.engine.in_flight and waiting.relay.engine._later))
        clocks = asyncio.create_task(ticking(there))
        async with there.running() as other:
            upstream.fault = lambda _call: None
            evict(log)
            await until(lambda: len(upstream.received) == 40 and other.watch.parking.count() == 0)
            await there.until_committed()
            evict(log)
            await until(lambda: bool(waiting.relay.ledger.partitions))
        clocks.cancel()
        clocks = asyncio.create_task(ticking(here))
        await asyncio.sleep(0.5)
        clocks.cancel()
    assert len(upstream.ids()) == 40
    assert in_order(upstream.received)


async def test_what_fails_when_it_is_anothers_is_not_parked_anew(tmp_path: Path) -> None:
    upstream = Held()
    log, here, there = two_hosts(tmp_path, upstream)
    gate = upstream.gate = asyncio.Event()
    await here.append(*late_ones(1))
    clocks = asyncio.create_task(ticking(here, there))
    async with here.running() as waiting:
        await until(lambda: waiting.watch.parking.count() == 1 and waiting.relay.engine.in_flight == 1)
        await asyncio.sleep(0.05)
        async with there.running() as other:
            upstream.gate = None
            evict(log)
            await until(lambda: len(upstream.received) == 1 and other.watch.parking.count() == 0)
            gate.set()
            await until(lambda: not waiting.relay.engine.in_flight)
            assert await here.standing(TOPICS.parked.name) == {}
    clocks.cancel()
    assert upstream.ids() == ["event-00000"]
