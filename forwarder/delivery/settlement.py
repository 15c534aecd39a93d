"""From an outcome to a settled event, in the order that loses nothing: first what must be durable, then the offset."""

import asyncio
from collections.abc import Iterable, Sequence
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
from forwarder.work import Evidence, Work


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

    async def settle_all(self, outcomes: Iterable[tuple[Work, Outcome]], evidence: Evidence | None = None) -> None:
        """Those that the offset alone settles need no task each, and go together: of a thousand, most are such. They are
        known after a crash with the next `write`."""
        answer = _answer(evidence)
        left: list[tuple[Work, Outcome]] = []
        for outcome, works in _by_outcome(outcomes):
            settled = set(map(id, self._settle_at_once(works, outcome, answer)))
            left += [(work, outcome) for work in works if id(work) not in settled]
        if left:
            await asyncio.gather(*(self.settle(work, outcome, evidence) for work, outcome in left))

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

    async def settle(self, work: Work, outcome: Outcome, evidence: Evidence | None = None) -> None:
        """Events of a partition that was lost are the new owner's to settle; who may be this one again."""
        if not work.live or work.partition not in self.ledger.partitions:
            if outcome.kind == "delivered":
                await self._remember(work, outcome, _answer(evidence))
            return
        if outcome.kind in ("parked", "dead") and self.erased.denies(work.event):
            outcome = filtered(Filter.ERASED)
        if outcome.kind == "parked" and self.parking.expired(work):
            outcome = _expired(work, outcome)
        if outcome.kind == "parked":
            await self._park(work, Parked(outcome.reason))
            return
        if outcome.kind == "dead":
            await self.dead_letters.put(work, outcome.reason, outcome.detail, evidence)
        told = bool(self.ledger.settle([work], outcome, _answer(evidence)))
        if not told and work.live:
            await self.ledger.settle_parked(work, outcome, _answer(evidence))
            told = True
        if work.waiting is not None:  # after its receipt: else a kill between them leaves one that says parked for ever
            await self.parking.forget(work)
        if told:
            self.ledger.write()
            self._tell([work], outcome)

    async def _remember(self, work: Work, outcome: Outcome, answer: int | None) -> None:
        """Delivered when its partition had gone: should that come back, it is not sent again."""
        self.ledger.remember(work, outcome, answer)
        self.ledger.write()
        if work.waiting is not None:  # its offset was told of as parked, and nobody else will say more
            await self.ledger.settle_parked(work, outcome, answer)
            await self.parking.forget(work)
        self._tell([work], outcome)

    async def set_aside(self, works: Sequence[Work]) -> None:
        """Parks what is still on its way, in the order given. What its call brings then is that of a parked event. One that
        was parked out of the queue stays as it is: it may be delivered by now."""
        first = {work.subject: work for work in reversed(works) if work.live}
        works = [work for work in works if work.live and not work.aside]
        reasons = [Parked.KEEPS_FAILING if first[work.subject] is work else Parked.BEHIND_PARKED for work in works]
        await asyncio.gather(*(self._park(work, reason, due=True) for work, reason in zip(works, reasons, strict=True)))

    async def _park(self, work: Work, reason: Parked, *, due: bool = False) -> None:
        """Once: one that is parked already only changes its reason."""
        if work.waiting is not None:
            await self.parking.park(work, reason)
        elif self.erased.denies(work.event):
            work.aside = True
            await self.settle(work, filtered(Filter.ERASED))
        elif not work.aside:
            work.aside = True
            await self.parking.park(work, reason, due=due)
            if self.ledger.settle([work], parked(reason)):
                self.ledger.write()
                self._tell([work], parked(reason))
            elif work.live or self.ledger.remembers(work):  # settled meanwhile
                await self.parking.forget(work)  # else it is another's, and so is the record: it may be parked there

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
