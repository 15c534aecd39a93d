"""What waits for hours or days goes by the time that a forwarder ran: no clock that is put ahead, and no day off, ends it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from base.clock import rfc3339
from base.reasons import Dead
from eventlog.event import Event
from forwarder.delivery.rounds import Rounds
from forwarder.destinations.base import Facts, Plan, dead
from forwarder.destinations.values import happened
from forwarder.keeping.store import Store
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream
from tests.forwarder.test_troubles import until
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600.0, 86_400.0


class ByTheWall(Store):
    """As it was: judged by what the wall clock says."""

    def now(self) -> float:
        return self._clock.now()


class Stand:
    """A phone that has told no contact, and is given a day; and somebody of whom the upstream id was learned."""

    def __init__(self, directory: Path, kind: type[Store] = Store) -> None:
        self.clock, self.upstream, self.kind = HeldClock(), Upstream(), kind
        settings = ForwarderSettings(parked_hours=24.0, facts_days=400.0)
        self.world = World(directory, Chain(), self.upstream, clock=self.clock, settings=settings)
        self.number = 1

    async def begin(self) -> None:
        await self.world.append(make_event(0, "v0"), make_event(1, "m1"))

    async def runs(self, hours: float, jump: float = 0.0) -> int:
        """For so long; then the wall clock says that so many days more have passed. How many events wait after it."""
        async with self.world.running() as delivery:
            delivery.store.__class__ = self.kind
            await self.passes()
            self.clock.advance(hours * HOUR)
            self.clock.jump(jump * DAY)
            await self.passes()
            await until(lambda: not delivery.watch.parking.due([0], 1))
            await delivery.forgetter.expire()
            return delivery.watch.parking.count()

    async def passes(self) -> None:
        """Somebody else's event: everything goes on, and the store notes how far its time has come."""
        self.number += 1
        await self.world.append(make_event(self.number, "v1"))
        await self.world.until_committed()


@pytest.mark.parametrize("days", [1.0, 30.0, 3650.0])
async def test_a_clock_that_is_put_ahead_ends_no_waiting(tmp_path: Path, days: float) -> None:
    stand = Stand(tmp_path)
    await stand.begin()
    assert await stand.runs(1.0, jump=days) == 1
    assert await stand.runs(1.0) == 1
    await stand.world.append(make_event(90_000, "m1", "init", email="a@b.example"))
    assert await stand.runs(0.0) == 0
    assert await stand.world.standing(TOPICS.dead_letters.name) == {}
    assert stand.upstream.of("m1")[0] == "event-00001"
    assert "v0" in await stand.world.standing(TOPICS.facts("chain").name)


async def test_days_without_a_forwarder_are_not_counted(tmp_path: Path) -> None:
    """What would free it may stand in the log, unread so far. The hours that one ran are, over starts."""
    stand = Stand(tmp_path)
    await stand.begin()
    for _ in range(5):
        assert await stand.runs(4.5) == 1
        stand.clock.advance(3 * DAY)
    assert await stand.runs(4.5) == 0
    (letter,) = (await stand.world.standing(TOPICS.dead_letters.name)).values()
    assert letter["reason"] == "upstream_init_refused"


async def test_by_the_wall_clock_it_would_be_a_dead_letter_and_the_other_forgotten(tmp_path: Path) -> None:
    """The negative control."""
    stand = Stand(tmp_path, ByTheWall)
    await stand.begin()
    assert await stand.runs(1.0, jump=3650.0) == 0
    assert len(await stand.world.standing(TOPICS.dead_letters.name)) == 1
    assert "v0" not in await stand.world.standing(TOPICS.facts("chain").name)


async def test_another_host_gives_it_its_time_anew_and_a_second_reading_does_not(tmp_path: Path) -> None:
    """At an assignment the topic is read on from where it was read to: one's own records too."""
    stand = Stand(tmp_path)
    await stand.begin()
    for _ in range(2):
        assert await stand.runs(10.0) == 1
    stand.world.directory = tmp_path / "another-host"
    for _ in range(2):
        assert await stand.runs(10.0) == 1
    assert await stand.runs(4.5) == 0


class Dating(Chain):
    """Takes nothing that is older than a day, as Footprints does."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        old = {event.id: dead(Dead.TOO_OLD) for event in events if now - happened(event, now) > DAY}
        return Plan(settled=old) if old else super().plan(events, facts, now)


class RoundsByTheWall(Rounds):
    """As it was."""

    __slots__ = ()

    def now(self) -> float:
        return self.clock.now()


async def arrived_by(directory: Path, jump: float, kind: type[Rounds] = Rounds) -> list[str]:
    """One event waits for its next try as the clock jumps, another comes after that. Those that are delivered."""
    clock, upstream = HeldClock(), Upstream(lambda _call: Reply(503))
    world = World(directory, Dating(), upstream, clock=clock)
    await world.append(made_now(1, clock))
    async with world.running() as delivery:
        delivery.relay.engine.rounds.__class__ = kind
        await until(lambda: upstream.calls != [])
        clock.jump(jump)
        upstream.fault = lambda _call: None
        await world.append(made_now(2, clock))
        clock.advance(HOUR)
        await world.until_committed()
    return sorted(upstream.ids())


def made_now(number: int, clock: HeldClock) -> Event:
    moment = rfc3339(clock.now())
    return make_event(number, f"v{number}")._replace(time=moment, receivedtime=moment)


@pytest.mark.parametrize("jump", [26 * HOUR, -26 * HOUR])
async def test_a_clock_that_is_set_makes_nothing_too_old(tmp_path: Path, jump: float) -> None:
    assert await arrived_by(tmp_path, jump) == ["event-00001", "event-00002"]


async def test_by_the_wall_clock_what_is_on_its_way_would_be(tmp_path: Path) -> None:
    """The negative control."""
    assert await arrived_by(tmp_path, 26 * HOUR, RoundsByTheWall) == ["event-00002"]
