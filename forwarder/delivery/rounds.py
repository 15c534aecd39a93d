"""One round of a unit: plan, store what the events teach, settle, call, store what the replies teach, settle.

The order is the promise: a fact is durable before any call that depends on it, a dead letter before its offset.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from base.clock import Clock
from base.ids import IdSource
from base.logs import Logger
from base.reasons import Dead, Parked, Trouble
from eventlog.errors import AppendError
from eventlog.event import Event
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.calls import Answer, Calls, Planned
from forwarder.delivery.settlement import Settlement
from forwarder.destinations.base import Call, Destination, Outcome, Plan, Verdict, dead, parked
from forwarder.keeping.facts import FactStore
from forwarder.work import Evidence, Unit, Work

FRUITLESS = 16  # calls; the longest chain of calls that a destination makes has four
ALONE = 3  # failures of one event between which others passed


@dataclass(slots=True, kw_only=True, eq=False)
class Rounds:
    """`park_after`: seconds that an event may keep failing while others pass."""

    destination: Destination
    calls: Calls
    facts: FactStore
    settlement: Settlement
    breaker: Breaker
    park_after: float
    clock: Clock
    ids: IdSource
    log: Logger
    _began: float = field(init=False)  # of the wall clock, less the monotonic one's

    def __post_init__(self) -> None:
        self._began = self.clock.now() - self.clock.monotonic()

    async def go(self, unit: Unit) -> float | None:
        """None: go on. Else the seconds to wait before the next round."""
        self._leave_anothers(unit, unit.current())
        if not (part := unit.current()):
            return None
        try:
            return await self._go(unit, part)
        except AppendError as error:  # facts that no log takes: too large
            await self._blame(unit, str(error))
            return None

    def _leave_anothers(self, unit: Unit, part: Sequence[Work]) -> None:
        """Where a partition has gone, nobody tells what was parked, which comes first in a unit."""
        if part and part[0].waiting is not None:
            unit.keep(self.settlement.ledger.partitions)

    async def _go(self, unit: Unit, part: list[Work]) -> float | None:
        planned = self.calls.stamp()
        events = unique(part)
        if (plan := self.plan(events)) is None or not (plan.calls or plan.settled):
            await self._blame(unit, "the plan has neither calls nor outcomes")
            return None
        await self.facts.put(plan.facts, events)
        before = unit.settled
        if await self._settle_plan(unit, part, plan):
            return 0.0
        delay = await self._call(unit, part, plan.calls, events, planned)
        if delay is not None or unit.settled > before:
            unit.fruitless = 0
        if unit.fruitless > FRUITLESS:
            await self._blame(unit, f"{FRUITLESS} calls have settled nothing")
            return None
        return delay

    async def _settle_plan(self, unit: Unit, part: list[Work], plan: Plan) -> bool:
        """What is dead after a call that only taught is refused by its reply. True: refused once too often."""
        works = [work for work in part if work.event.id in plan.settled]
        if unit.evidence is None:
            await self._settle(unit, [(work, plan.settled[work.event.id]) for work in works])
            return False
        outcomes, held = self._screen(works, plan.settled)
        await self._settle(unit, outcomes, unit.evidence)
        return held is not None

    def plan(self, events: Sequence[Event]) -> Plan | None:
        """None: the destination has failed at it."""
        try:
            return self.destination.plan(events, self.facts.view(events), self.now())
        except Exception:
            self.log.exception("plan.failed", destination=self.destination.name, events=len(events))
            return None

    def now(self) -> float:
        """By which an event's age goes: a wall clock that is put ahead makes nothing older that is on its way, nor one that is put back what comes then."""
        return min(self.clock.now(), self._began + self.clock.monotonic())

    async def _call(
        self, unit: Unit, part: list[Work], calls: Sequence[Call], events: Sequence[Event], planned: Planned
    ) -> float | None:
        """One visitor's calls one after the other, until one fails or teaches something new; a batch's side by side. Who
        is down is asked once: of a probe's only the first goes out, and nothing that still waited for its turn. Nor does
        what has become another's while it waited."""
        well, together = self.breaker.is_running(), len(unit.subjects) > 1

        def wanted() -> bool:
            down = together and well and not self.breaker.is_running()
            self._leave_anothers(unit, part)
            return not down and all(work.live for work in part)

        if together:
            self.settlement.write()
            chosen = _one_a_visitor(calls if well else calls[:1])
            answers = await asyncio.gather(*(self.calls.make(call, events, planned, wanted) for call in chosen))
            return await self._judge_all(unit, part, answers)
        for call in calls:
            self.settlement.write()
            answer = await self.calls.make(call, events, planned, wanted)
            delay = await self._judge_all(unit, part, [answer])
            if delay is not None or answer.taught or answer.verdict.trouble is not None:
                return delay
        return None

    async def _judge_all(self, unit: Unit, part: list[Work], answers: Sequence[Answer]) -> float | None:
        """A round fails once, however many of its calls do."""
        delay: float | None = None
        troubles = []
        unit.fruitless += any(answer.evidence is not None for answer in answers)
        for answer in answers:
            works = _works(part, answer.call)
            if answer.evidence is not None:
                _note(works, part, answer, self.clock.now())
                unit.evidence = unit.evidence if answer.call.events else answer.evidence
            if answer.verdict.trouble is not None:
                troubles.append(answer)
            elif answer.evidence is not None:
                held = await self._passed(unit, works, answer)
                delay = delay if held is None else held
        if troubles:
            return await self._troubled(unit, part, troubles)
        return delay

    async def _passed(self, unit: Unit, works: list[Work], answer: Answer) -> float | None:
        if answer.verdict.split and len(works) > 1:
            self._well(settled=False)
            unit.halve(works)
            return None
        return await self._settle_answer(unit, works, answer)

    async def _settle_answer(self, unit: Unit, works: list[Work], answer: Answer) -> float | None:
        verdict = answer.verdict
        told = dict(verdict.outcomes)
        if verdict.split:  # the poison is alone
            told.update((work.event.id, dead(Dead.REFUSED, verdict.detail)) for work in works)
        outcomes, held = self._screen(works, told)
        if outcomes:
            unit.passed()
            self._well(settled=held is None)
        await self._settle(unit, outcomes, answer.evidence)
        return None if held is None else 0.0

    def _screen(
        self, works: Sequence[Work], told: Mapping[str, Outcome]
    ) -> tuple[list[tuple[Work, Outcome]], Outcome | None]:
        """The outcomes to settle; and one that is held back with its event, because so many were refused like it."""
        outcomes: list[tuple[Work, Outcome]] = []
        held: Outcome | None = None
        for work in works:
            outcome = told.get(work.event.id)
            if outcome is not None and outcome.kind == "delivered":
                self.breaker.delivered()
            elif outcome is not None and outcome.kind == "dead" and self._refused_too_often(work, outcome):
                held = outcome
                continue
            if outcome is not None:
                outcomes.append((work, outcome))
        if held is not None:
            detail = f"{held.reason}, {self.breaker.same_refusals} times in a row: {held.detail}"
            self._pause(Trouble.SAME_REFUSAL, detail)
        return outcomes, held

    def _refused_too_often(self, work: Work, outcome: Outcome) -> bool:
        """Who replays what is refused again learns no more by it; held back, it would keep those that are new waiting."""
        return not work.event.replayed and self.breaker.refuses(outcome.reason)

    async def _settle(self, unit: Unit, outcomes: list[tuple[Work, Outcome]], evidence: Evidence | None = None) -> None:
        if not outcomes:
            return
        await self.settlement.settle_all(outcomes, evidence)
        unit.leave([work for work, _ in outcomes])
        unit.settled += len(outcomes)
        unit.finished += sum(outcome.kind != "parked" for _, outcome in outcomes)

    async def _troubled(self, unit: Unit, part: list[Work], answers: Sequence[Answer]) -> float | None:
        unit.culprit = (_works(part, answers[0].call) or part)[0]
        denied = [answer for answer in answers if answer.verdict.trouble is Trouble.CREDENTIALS]
        if denied:
            unit.denied += 1
            if unit.denied == 1:
                return None  # the next plan asks for a new token, or shows that there is no other
            self._pause(Trouble.CREDENTIALS, denied[0].verdict.detail)
            return 0.0
        entropy, now = self.ids.random(4), self.clock.monotonic()
        for answer in answers:
            trouble = answer.verdict.trouble
            # What is slow has failed before: alone it says nothing of the destination, unless it is told to come later.
            known = unit.slow and self.breaker.is_running() and trouble is not Trouble.THROTTLED
            if answer.evidence is not None and trouble is not None and not known:
                self._failed(answer.verdict, trouble, now, entropy)
        if self._alone(unit, now) and not unit.slow:
            unit.suspect = True
            return await self._isolate(unit, part, _works(part, answers[0].call))
        after = max(answer.verdict.after or 0.0 for answer in answers)
        return self.breaker.policy.delay(unit.failures, entropy, after)

    def _well(self, *, settled: bool) -> None:
        """Who is only told to come later comes and goes: of that one line is enough."""
        was, reason = self.breaker.state, self.breaker.reason
        self.breaker.passed(settled=settled)
        if was != "running" and self.breaker.is_running() and reason is not Trouble.THROTTLED:
            self.log.info("destination.resumed", destination=self.destination.name, after=was, reason=reason)

    def _failed(self, verdict: Verdict, trouble: Trouble, now: float, entropy: bytes) -> None:
        was = self.breaker.state
        self.breaker.failed(trouble, now, entropy, verdict.after, verdict.detail)
        if was == "running" and self.breaker.state == "troubled":
            name = self.destination.name
            self.log.warning("destination.troubled", destination=name, reason=trouble, detail=verdict.detail)

    def _alone(self, unit: Unit, now: float) -> bool:
        """Counts the failure. True: it has failed for long while others passed, so it is not the destination."""
        if unit.failures == 0:
            unit.failing_since = now
        others_passed = self.breaker.passes > unit.passes
        unit.alone += others_passed and unit.failures > 0
        unit.failures += 1
        unit.passes = self.breaker.passes
        if unit.suspect:
            return others_passed
        return unit.alone >= ALONE and now - unit.failing_since >= self.park_after

    async def _isolate(self, unit: Unit, part: list[Work], works: list[Work]) -> float | None:
        """Halves what failed, until it is one event: that one is parked, and the visitor's later ones behind it."""
        if len(works) > 1 or (not works and len(unit.subjects) > 1 and len(part) > 1):
            unit.halve(works or part)
            return None
        head = (works or part)[0]
        await self._settle(unit, [(head, parked(Parked.KEEPS_FAILING))])
        behind = [work for work in unit.works() if work.subject == head.subject]
        await self._settle(unit, [(work, parked(Parked.BEHIND_PARKED)) for work in behind])
        return None

    async def _blame(self, unit: Unit, detail: str) -> None:
        """The destination gets nowhere with these: halved until it is one event, which is dead."""
        self.log.error("plan.stuck", destination=self.destination.name, events=len(unit.current()), detail=detail)
        unit.fruitless = 0
        left = unit.current()
        if len(unique(left)) > 1:
            unit.halve(left)
        else:
            await self._settle(unit, [(work, dead(Dead.BAD_MAPPING, detail)) for work in left])

    def _pause(self, reason: Trouble, detail: str) -> None:
        if self.breaker.state != "paused":
            self.log.error("destination.paused", destination=self.destination.name, reason=reason, detail=detail)
        self.breaker.pause(reason, self.clock.monotonic(), detail)


def unique(works: Sequence[Work]) -> list[Event]:
    """Copies of one event (the log may hold it twice) go out as one and are settled as one."""
    return list({work.event.id: work.event for work in works}.values())


def _works(part: Sequence[Work], call: Call) -> list[Work]:
    ids = {event.id for event in call.events}
    return [work for work in part if work.event.id in ids]


def _note(works: Sequence[Work], part: Sequence[Work], answer: Answer, now: float) -> None:
    for work in works or part:
        if answer.call.purpose not in work.purposes:
            work.purposes = (*work.purposes, answer.call.purpose)
    for work in works:
        work.attempts += 1
        work.first_attempt = work.first_attempt or now


def _one_a_visitor(calls: Sequence[Call]) -> list[Call]:
    """A visitor's second call waits for the next plan: side by side the two could overtake each other."""
    seen: set[str] = set()
    chosen = []
    for call in calls:
        subjects = {event.subject for event in call.events}
        if not subjects & seen:
            chosen.append(call)
        seen |= subjects
    return chosen
