"""What has missed a deadline at the destination waits for what has not: parked together, and sent together later, in units
of many visitors. Who comes again with something in time brings theirs along, for the order's sake.

To be parked takes two to three times the work that a batch does. So they are parked only while it is the destination that
all wait for; where it is this process, those in time would wait for longer behind that than behind the late ones' calls.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock, rfc3339
from base.reasons import Parked
from forwarder.delivery.batching import Queue, unit_events
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.rounds import Rounds, unique
from forwarder.delivery.settlement import Settlement
from forwarder.destinations.base import Plan, parked, visitor_key
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking, Standing
from forwarder.work import Unit, Work

LOOKS: Final = 8  # at most for free visitors among the busy ones, at a time
LOOK_SECONDS: Final = 1.0  # between two looks for late ones where there were none to take
TURN_SECONDS: Final = 5.0  # so often late ones have a turn, however many others come
TRIED_SECONDS: Final = 1.0  # of delivering them with the others, to see who is waited for
PARKED_SECONDS: Final = 20.0  # until that is tried again
BUSY: Final = 1 / 3  # seconds of a core, a second: with more, parking would take longer than the deliveries do
SHARE: Final = 4  # one of so many calls side by side, at most, is for late ones


@dataclass(slots=True)
class Spare:
    """Whether this process has time to spare for parking. `cpu`: seconds of a core that it has used."""

    cpu: Callable[[], float]
    _parks: bool = True
    _asked: float = -math.inf  # monotonic, as all here
    _until: float = 0.0
    _began: float = 0.0
    _used: float = 0.0

    def parks(self, now: float) -> bool:
        """Asked for each unit with late events. The first are parked, then some are delivered, and what that took is what
        decides."""
        if now - self._asked > PARKED_SECONDS:
            self._parks, self._until = True, now + TRIED_SECONDS
        elif now >= self._until:
            idle = not self._parks and self.cpu() - self._used < BUSY * (now - self._began)
            self._parks, self._until = idle, now + (PARKED_SECONDS if idle else TRIED_SECONDS)
            self._began, self._used = now, self.cpu()
        self._asked = now
        return self._parks


@dataclass(slots=True)
class _Room:
    """Of a unit. One that is larger than all of it goes alone."""

    most_events: int
    most_bytes: float
    _events: int = 0
    _bytes: int = 0

    def fits(self, events: int, size: int) -> bool:
        return not self._events or (self._events + events <= self.most_events and self._bytes + size <= self.most_bytes)

    def take(self, events: int, size: int) -> bool:
        """False: a new one was begun for these."""
        fits = self.fits(events, size)
        self._events, self._bytes = (self._events + events, self._bytes + size) if fits else (events, size)
        return fits


@dataclass(slots=True, kw_only=True, eq=False)
class LateLane:
    """`may_go_on`: whether a round may begin; of a probe or not."""

    parking: Parking
    ledger: Ledger
    rounds: Rounds
    settlement: Settlement
    breaker: Breaker
    queue: Queue
    concurrency: int
    clock: Clock
    spare: Spare
    may_go_on: Callable[[bool], bool]
    _most: int = field(init=False)  # events of a unit
    _bytes: float = field(init=False)
    _size: int = field(init=False)  # events at a time: half as many after each failure, until it is known whose it is
    _busy: int = field(init=False, default=0)  # units that are under way
    _failures: int = field(init=False, default=0)  # in a row
    _at: float = field(init=False, default=0.0)  # monotonic: when the parked are looked at again
    _turn: float = field(init=False, default=0.0)  # monotonic: when the last ones began, or the first was parked

    def __post_init__(self) -> None:
        batch = self.rounds.destination.batch
        self._most = self._size = unit_events(batch)
        self._bytes = math.inf if batch.events == 1 else batch.bytes

    def apart(self, unit: Unit, standing: Mapping[str, Standing]) -> list[Work]:
        """New events that may wait: of visitors who bring none in time, and who have parked none that don't come along.
        None while the destination is down, as there is nobody whom they would keep waiting."""
        after = self.rounds.destination.batch.late_after
        if math.isinf(after) or after >= (now := self.rounds.now()) or not self.breaker.is_running():
            return []
        horizon = rfc3339(now - after)
        staying = {work.subject for work in unit.works() if work.event.time >= horizon}
        staying.update(subject for subject, parked in standing.items() if not parked.comes_along)
        late = [work for work in unit.works() if work.subject not in staying]
        return late if late and self._may_park(len(late)) else []

    def _may_park(self, events: int) -> bool:
        """Who stood still holds what may be another's by now."""
        now = self.clock.monotonic()
        return self.spare.parks(now) and self.settlement.erased.is_fresh(now) and self.parking.has_room(events)

    async def park(self, works: Sequence[Work]) -> list[Work]:
        """Those that wait from now on, or that the destination does not want. Who teaches something in one of them is left:
        what they did before it must not be planned by it."""
        if not self.parking.holds_any():
            self._turn = self.clock.monotonic()
        plan = self.rounds.plan(unique(works)) or Plan()
        teachers = {fact.key.rpartition("/")[0] for fact in plan.facts}
        waiting = [work for work in works if visitor_key(work.event) not in teachers]
        late = parked(Parked.LATE)
        await self.settlement.settle_all((work, plan.settled.get(work.event.id, late)) for work in waiting)
        return waiting

    def split(self, unit: Unit, standing: Mapping[str, Standing]) -> list[Unit]:
        """Visitors whose late events don't fit into the unit go in others of their own."""
        works: dict[str, list[Work]] = {}
        for work in unit.works():
            if work.subject in standing:
                works.setdefault(work.subject, []).append(work)
        alone = [work for work in unit.works() if work.subject not in works]
        room, chunks = _Room(self._most, self._bytes), [list[Work]()]
        room.take(len(alone), sum(work.size for work in alone))
        for subject, new in works.items():
            before = standing[subject]
            if not room.take(before.events + len(new), before.bytes + sum(work.size for work in new)):
                chunks.append([])
            chunks[-1] += new
        unit.along = frozenset(work.subject for work in chunks[0])
        others = [unit.split(chunk) for chunk in chunks[1:]]
        for other in others:
            other.along = other.subjects
        return others

    def bring_along(self, unit: Unit) -> None:
        """Before it goes: those that came earlier, first."""
        parked = self.parking.works_of(unit.along)
        unit.along = frozenset()
        unit.parts[0][:0] = [work for work in parked if work.partition in self.ledger.partitions]

    def next(self, now: float) -> list[Work]:
        """Those that are to go out now, their visitors made busy. Asked where something is parked."""
        if not self._is_free or now < self._at:
            return []
        works = self._claim()
        self._at = now if works else now + LOOK_SECONDS
        self._turn = now if works else self._turn
        self._busy += bool(works)
        return works

    def _claim(self) -> list[Work]:
        """Past those that are on their way, and whose visitors are busy otherwise. Where an event is a call, of one visitor."""
        works, chosen, busy = list[Work](), set[str](), set[str]()
        room, most = _Room(self._size, self._bytes), 1 if self.rounds.destination.batch.events == 1 else self._size
        for _ in range(LOOKS):
            found = self.parking.late(self.ledger.partitions, busy | chosen, self._size - len(works))
            for work in found:
                if work.subject in busy or (work.subject not in chosen and len(chosen) == most):
                    continue
                if not room.fits(1, work.size):
                    return works
                if work.subject not in chosen and not self.queue.claim(work.subject):
                    busy.add(work.subject)
                    continue
                chosen.add(work.subject)
                room.take(1, work.size)
                works.append(work)
            if not found or len(chosen) == most or len(works) == self._size:
                break
        return works

    def is_overdue(self, now: float) -> bool:
        return now - self._turn >= TURN_SECONDS

    def due(self, now: float) -> float | None:
        """Seconds until `next` may give what it does not give now."""
        return self._at - now if self._is_free else None

    @property
    def _is_free(self) -> bool:
        return self._busy < max(1, self.concurrency // SHARE)

    async def bring(self, works: list[Work], probe: bool) -> None:
        unit = Unit.of(works, slow=True)
        try:
            failed = await self._fails(unit, probe)
        finally:
            self._busy -= 1
        now, policy = self.clock.monotonic(), self.breaker.policy
        if not failed:
            self._size, self._failures, self._at = min(self._most, 2 * self._size), 0, now
        elif self.breaker.is_running():  # else it has the say
            self._failures += 1
            self._size = max(1, self._size // 2)
            self._at = now + min(policy.longest, policy.first * 2.0 ** min(self._failures, 32))
        self.queue.release(unit.subjects)

    async def _fails(self, unit: Unit, probe: bool) -> bool:
        """One that fails alone is the slow lane's from then on, and its visitor's others behind it."""
        while unit.current() and self.may_go_on(probe):
            if await self.rounds.go(unit) is not None:
                if len(unit.works()) == 1 and self.breaker.is_running():
                    own = parked(Parked.KEEPS_FAILING)
                    await self.settlement.settle_all(((work, own) for work in unit.works()), due=True)
                return True
        return False
