"""What has missed a deadline at the destination waits for what has not: parked together, and sent together later, in units
of many visitors. Who comes again with something in time brings theirs along, for the order's sake.

To be parked takes two to three times the work that a batch does. So they are parked only while it is the destination that
all wait for; where it is this process, those in time would wait for longer behind that than behind the late ones' calls.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock, rfc3339
from base.reasons import Parked
from forwarder.delivery.batching import Queue, unit_events
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.rounds import Rounds
from forwarder.delivery.settlement import Settlement
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking, Standing
from forwarder.work import Unit, Work

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
    _most: int = field(init=False)
    _size: int = field(init=False)  # events at a time: half as many after each failure, until it is known whose it is
    _busy: int = field(init=False, default=0)  # units that are under way
    _failures: int = field(init=False, default=0)  # in a row
    _at: float = field(init=False, default=0.0)  # monotonic: when the parked are looked at again
    _turn: float = field(init=False, default=0.0)  # monotonic: when the last ones began, or there were none

    def __post_init__(self) -> None:
        self._most = self._size = unit_events(self.rounds.destination.batch)

    def apart(self, unit: Unit, standing: Mapping[str, Standing]) -> list[Work]:
        """New events that are to wait: of visitors who bring none in time, and of whom nothing waits for another reason.
        None while the destination is down, as there is nobody whom they would keep waiting."""
        after, now = self.rounds.destination.batch.late_after, self.rounds.now()
        if after >= now or not self.breaker.is_running():
            return []
        horizon = rfc3339(now - after)
        staying = {work.subject for work in unit.works() if work.event.time >= horizon}
        staying.update(subject for subject, parked in standing.items() if not parked.only_late)
        late = [work for work in unit.works() if work.subject not in staying]
        return late if late and self._may_park(len(late)) else []

    def _may_park(self, events: int) -> bool:
        """Who stood still holds what may be another's by now."""
        now = self.clock.monotonic()
        return self.spare.parks(now) and self.settlement.erased.is_fresh(now) and self.parking.has_room(events)

    def split(self, unit: Unit, standing: Mapping[str, Standing]) -> list[Unit]:
        """Visitors whose late events don't fit into the unit go in others of their own."""
        works: dict[str, list[Work]] = {}
        for work in unit.works():
            if work.subject in standing:
                works.setdefault(work.subject, []).append(work)
        size, chunks = len(unit.works()) - sum(map(len, works.values())), [list[Work]()]
        for subject, new in works.items():
            more = standing[subject].events + len(new)
            if size and size + more > self._most:
                chunks.append([])
                size = 0
            chunks[-1] += new
            size += more
        unit.along = bool(chunks[0])
        others = [unit.split(chunk) for chunk in chunks[1:]]
        for other in others:
            other.along = True
        return others

    def bring_along(self, unit: Unit) -> None:
        """Before it goes: those that came earlier, first."""
        unit.along = False
        parked = self.parking.works_of(unit.subjects)
        unit.parts[0][:0] = [work for work in parked if work.partition in self.ledger.partitions]

    def next(self, now: float) -> list[Work]:
        """Those that are to go out now, their visitors made busy."""
        if not self._is_free or now < self._at or not self.parking.holds_any():
            return []
        found = self.parking.late(self.ledger.partitions, self._size)
        one = self.rounds.destination.batch.events == 1
        free: dict[str, bool] = {}
        for work in found:
            if work.subject not in free:
                free[work.subject] = not (one and any(free.values())) and self.queue.claim(work.subject)
        works = [work for work in found if free[work.subject]]
        self._at = now if works else now + LOOK_SECONDS
        self._turn = now if works else self._turn
        self._busy += bool(works)
        return works

    def is_overdue(self, now: float) -> bool:
        if not self.parking.holds_any():
            self._turn = now
        return now - self._turn >= TURN_SECONDS

    def due(self, now: float) -> float | None:
        """Seconds until `next` may give what it does not give now."""
        return self._at - now if self._is_free and self.parking.holds_any() else None

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
                    await self.settlement.park(dict.fromkeys(unit.works(), Parked.KEEPS_FAILING), due=True)
                return True
        return False
