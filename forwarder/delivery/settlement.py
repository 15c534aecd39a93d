"""From an outcome to a settled event, in the order that loses nothing: first what must be durable, then the offset."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from base.logs import Logger
from base.metrics import Counts, ForwarderMetrics
from base.reasons import Dead, Filter, Parked
from eventlog.erased import Erased
from forwarder.delivery.status import Status
from forwarder.destinations.base import Outcome, dead, filtered, parked
from forwarder.keeping.dead_letters import DeadLetters
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.transport import Reply
from forwarder.work import Evidence, Work, without


@dataclass(slots=True, kw_only=True, eq=False)
class Settlement:
    """`events_logged`: a line for each event, which `ochn dev` draws. Of who was erased nothing is kept: neither parked
    nor as a dead letter."""

    ledger: Ledger
    dead_letters: DeadLetters
    parking: Parking
    erased: Erased
    status: Status
    metrics: ForwarderMetrics
    log: Logger
    events_logged: bool
    _counts: Counts = field(init=False)
    _late: Counts = field(init=False)

    def __post_init__(self) -> None:
        self._counts = Counts(self.metrics.outcomes)
        self._late = Counts(self.metrics.late)

    async def settle(self, work: Work, outcome: Outcome) -> None:
        await self.settle_all([(work, outcome)])

    async def settle_all(
        self, outcomes: Iterable[tuple[Work, Outcome]], evidence: Evidence | None = None, *, due: bool = False
    ) -> None:
        """Those that the offset alone settles, at once: of a thousand, most are such. They are known after a crash with
        the next `write`. `due`: of those that are parked the turn in the slow lane is at once."""
        answer = _answer(evidence)
        left = []
        for outcome, works in _by_outcome(outcomes):
            if rest := without(works, self._settle_at_once(works, outcome, answer)):
                left.append(self._settle(rest, outcome, evidence, due))
        if left:
            await asyncio.gather(*left)

    def write(self) -> None:
        """Before a call: what is settled by then is known after a crash."""
        self.ledger.write()

    def _settle_at_once(self, works: Iterable[Work], outcome: Outcome, answer: int | None) -> list[Work]:
        """Not those for which more than the offset must be durable, nor those that count here no more."""
        if outcome.kind not in ("delivered", "filtered"):
            return []
        settled = self.ledger.settle([work for work in works if work.waiting is None], outcome, answer)
        self._tell(settled, outcome)
        return settled

    async def _settle(self, works: Sequence[Work], outcome: Outcome, evidence: Evidence | None, due: bool) -> None:
        """Events of a partition that was lost are the new owner's to settle; who may be this one again."""
        ours = [work for work in works if work.live and work.partition in self.ledger.partitions]
        if outcome.kind == "delivered" and len(ours) < len(works):
            await self._remember(without(works, ours), outcome, _answer(evidence))
        if outcome.kind in ("parked", "dead"):
            ours = await self._without_erased(ours)
        if outcome.kind == "parked":
            expired = [work for work in ours if self.parking.expired(work)]
            await asyncio.gather(*(self._bury([work], _expired(work, outcome), evidence) for work in expired))
            reason = Parked(outcome.reason)
            await self._park(dict.fromkeys(without(ours, expired), reason), due=due)
        elif outcome.kind == "dead":
            await self._bury(ours, outcome, evidence)
        else:
            await self._end(ours, outcome, _answer(evidence))

    async def _without_erased(self, works: Sequence[Work]) -> list[Work]:
        """Those who were erased are settled by this."""
        erased = [work for work in works if self.erased.denies(work.event)]
        for work in erased:
            work.aside = True
        await self._end(erased, filtered(Filter.ERASED), None)
        return without(works, erased)

    async def _bury(self, works: Sequence[Work], outcome: Outcome, evidence: Evidence | None) -> None:
        letters = (self.dead_letters.put(work, outcome.reason, outcome.detail, evidence) for work in works)
        await asyncio.gather(*letters)
        await self._end(works, outcome, _answer(evidence))

    async def _end(self, works: Sequence[Work], outcome: Outcome, answer: int | None) -> None:
        told = self.ledger.settle(works, outcome, answer)
        if parked_ones := [work for work in without(works, told) if work.live]:
            await self.ledger.settle_parked(parked_ones, outcome, answer)
        # After their receipt: else a kill between the two leaves one that says parked for ever.
        await self.parking.forget([work for work in works if work.waiting is not None])
        self.ledger.write()
        self._tell([*told, *parked_ones], outcome)

    async def _remember(self, works: Sequence[Work], outcome: Outcome, answer: int | None) -> None:
        """Delivered when their partition had gone: should that come back, they are not sent again. Of those that were told
        of as parked nobody else will say more."""
        self.ledger.remember(works, outcome, answer)
        self.ledger.write()
        if waited := [work for work in works if work.waiting is not None]:
            await self.ledger.settle_parked(waited, outcome, answer)
            await self.parking.forget(waited)
        self._tell(works, outcome)

    async def set_aside(self, works: Sequence[Work]) -> None:
        """Parks what is still on its way. What its call brings then is that of a parked event. One that was parked before
        stays as it is: it may be delivered by now."""
        ours = [work for work in works if work.live and (work.waiting is None or work.aside)]
        first = {work.subject: work for work in reversed(ours)}
        left = await self._without_erased([work for work in ours if not work.aside])
        heads = {work: first[work.subject] is work for work in left}
        reasons = {work: Parked.KEEPS_FAILING if head else Parked.BEHIND_PARKED for work, head in heads.items()}
        await self._park(reasons, due=True)

    async def _park(self, reasons: Mapping[Work, Parked], *, due: bool) -> None:
        """One that is parked already only changes its reason."""
        fresh = [work for work in reasons if work.waiting is None and not work.aside]
        for work in fresh:
            work.aside = True
        known = {work: reason for work, reason in reasons.items() if work.waiting is not None}
        await self.parking.park({**known, **{work: reasons[work] for work in fresh}}, due=due)
        for reason in Parked:
            settled = self.ledger.settle([work for work in fresh if reasons[work] is reason], parked(reason))
            self._tell(settled, parked(reason))
            fresh = without(fresh, settled)
        self.ledger.write()
        # What was settled meanwhile; else it is another's, and so is the record: it may be parked there.
        await self.parking.forget([work for work in fresh if work.live or self.ledger.remembers(work)])

    def _tell(self, works: Sequence[Work], outcome: Outcome) -> None:
        if not works:
            return
        destination = self.status.destination
        self.status.count(outcome, len(works))
        self._counts.add(destination, outcome.kind, str(outcome.reason), count=len(works))
        if outcome.late:
            self._late.add(destination, count=len(works))
        for work in works if self.events_logged else ():
            self.log.info(
                "event.settled",
                id=work.event.id,
                type=work.event.type,
                subject=work.event.subject,
                destination=destination,
                outcome=outcome.kind,
                reason=str(outcome.reason),
                detail=outcome.detail,
                purposes=work.purposes,
            )


def _by_outcome(outcomes: Iterable[tuple[Work, Outcome]]) -> Iterable[tuple[Outcome, list[Work]]]:
    """By the very same value, as who judges many gives it to many: to compare them would cost what this is to save."""
    found: dict[int, tuple[Outcome, list[Work]]] = {}
    for work, outcome in outcomes:
        known = found.get(id(outcome))
        if known is None:
            found[id(outcome)] = (outcome, [work])
        else:
            known[1].append(work)
    return found.values()


def _answer(evidence: Evidence | None) -> int | None:
    reply = None if evidence is None else evidence.reply
    return reply.status if isinstance(reply, Reply) else None


def _expired(work: Work, outcome: Outcome) -> Outcome:
    reasons = {outcome.reason, work.waiting.reason if work.waiting else ""}
    if Parked.WAITS_FOR_CONTACT in reasons:
        return dead(Dead.UPSTREAM_INIT_REFUSED, "no e-mail and no push token came in time")
    return dead(Dead.RETRIES_EXHAUSTED, "kept failing until its time was up")
