"""Where parked events go out: few visitors at a time, each one's events in order, and slower while they fail.

What fails because the destination is down is not held against it: it stays due, and goes once the breaker is closed.
Only what fails again and again while others pass waits for its next turn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock
from base.reasons import Parked
from base.values import Value
from forwarder.delivery.batching import Queue
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.rounds import ALONE, Rounds
from forwarder.delivery.settlement import Settlement
from forwarder.destinations.base import parked
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.work import Unit, Work

LOOK_SECONDS: Final = 1.0  # between two looks for parked events whose turn has come
SHARE: Final = 4  # one of so many calls side by side, at most, is for parked events


class _Failed(Value, frozen=True):
    """An event's last failure: `passes` is the breaker's count then, `alone` as a unit's."""

    event_id: str
    passes: int
    alone: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class SlowLane:
    """`may_go_on`: whether a round may begin; of a probe or not."""

    parking: Parking
    ledger: Ledger
    rounds: Rounds
    settlement: Settlement
    breaker: Breaker
    queue: Queue
    concurrency: int
    clock: Clock
    may_go_on: Callable[[bool], bool]
    _failed: dict[str, _Failed] = field(init=False, default_factory=dict)  # by visitor, until it passes or is held
    _busy: int = field(init=False, default=0)  # visitors that are under way
    _failures: int = field(init=False, default=0)  # in a row
    _at: float = field(init=False, default=0.0)  # monotonic: when the parked are looked at again

    def next(self, now: float) -> str | None:
        """A visitor with parked events whose turn has come, made busy. Asked where something is parked."""
        if not self._is_free or now < self._at:
            return None
        due = self.parking.due(self.ledger.partitions, self.concurrency)
        subject = next(filter(self.queue.claim, due), None)
        self._at = now if subject else now + LOOK_SECONDS
        self._busy += subject is not None
        return subject

    def due(self, now: float) -> float | None:
        """Seconds until `next` may give what it does not give now."""
        return self._at - now if self._is_free else None

    @property
    def _is_free(self) -> bool:
        return self._busy < max(1, self.concurrency // SHARE)

    async def bring(self, subject: str, probe: bool) -> None:
        try:
            passed = await self.clear(subject, probe)
        finally:
            self._busy -= 1
        now, policy = self.clock.monotonic(), self.breaker.policy
        counts = not passed and self.breaker.is_running()  # else the breaker has the say
        self._failures = self._failures + 1 if counts else 0
        self._at = now + min(policy.longest, policy.first * 2.0 ** min(self._failures, 32)) if counts else now
        self.queue.release(frozenset([subject]))

    async def clear(self, subject: str, probe: bool) -> bool:
        """Tries the visitor's parked events in order, until one fails or none gets on; where one has failed before, one
        by one, to see which. False: one has failed."""
        passed, choose, together = True, self.parking.works, subject not in self._failed
        while self.may_go_on(probe) and not self.parking.held_back(subject):
            works = [work for work in choose(subject) if work.partition in self.ledger.partitions]
            unit = Unit.of(works if together else works[:1], slow=True)
            passed = await self._try(subject, unit, probe)
            if not passed or not works:
                break
            choose = self.parking.works if unit.finished else self.parking.hope
        if passed and self.may_go_on(False):
            self._failed.pop(subject, None)
            await self.parking.postpone(subject, self.parking.slow)
        else:
            await self.parking.postpone(subject, 0.0)
        return passed

    async def _try(self, subject: str, unit: Unit, probe: bool) -> bool:
        while unit.current() and self.may_go_on(probe):
            if await self.rounds.go(unit) is not None:
                if unit.culprit is not None and self._is_its_own(subject, unit.culprit):
                    await self.settlement.settle(unit.culprit, parked(Parked.KEEPS_FAILING))
                    await self.parking.postpone(subject, self.parking.slow)
                return False
        return True

    def _is_its_own(self, subject: str, culprit: Work) -> bool:
        """Whether one more failure tells of the event: others have passed between so many of them."""
        if not self.breaker.is_running():
            return False
        now = _Failed(culprit.event.id, self.breaker.passes)
        before = self._failed.pop(subject, now)
        if before.event_id == now.event_id:
            now = _Failed(now.event_id, now.passes, before.alone + (now.passes > before.passes))
        if now.alone < ALONE:
            self._failed[subject] = now
        return now.alone >= ALONE
