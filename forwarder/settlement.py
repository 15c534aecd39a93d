"""From an outcome to a settled event, in the order that loses nothing: first what must be durable, then the offset."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from base.logs import Logger
from base.metrics import ForwarderMetrics
from base.reasons import Dead, Parked
from forwarder.dead_letters import DeadLetters
from forwarder.destinations.base import Outcome, dead
from forwarder.ledger import Ledger
from forwarder.parking import Parking
from forwarder.status import Status
from forwarder.transport import Reply
from forwarder.work import Evidence, Work


@dataclass(slots=True, kw_only=True, eq=False)
class Settlement:
    """`events_logged`: a line for each event, which `ochn dev` draws."""

    ledger: Ledger
    dead_letters: DeadLetters
    parking: Parking
    status: Status
    metrics: ForwarderMetrics
    log: Logger
    events_logged: bool

    async def settle_all(self, outcomes: Iterable[tuple[Work, Outcome]], evidence: Evidence | None = None) -> None:
        await asyncio.gather(*(self.settle(work, outcome, evidence) for work, outcome in outcomes))

    async def settle(self, work: Work, outcome: Outcome, evidence: Evidence | None = None) -> None:
        """Events of a partition that was lost are the new owner's to settle."""
        if not work.live or work.partition not in self.ledger.partitions:
            return
        if outcome.kind == "parked" and self.parking.expired(work):
            outcome = _expired(work, outcome)
        if outcome.kind == "parked" and work.waiting is not None:
            await self.parking.park(work, Parked(outcome.reason))
            return
        if outcome.kind == "dead":
            await self.dead_letters.put(work, outcome.reason, outcome.detail, evidence)
        if outcome.kind == "parked":
            await self.parking.park(work, Parked(outcome.reason))
        elif work.waiting is not None:
            await self.parking.forget(work)
        reply = None if evidence is None else evidence.reply
        await self.ledger.settle(work, outcome, reply.status if isinstance(reply, Reply) else None)
        self._tell(work, outcome)

    def _tell(self, work: Work, outcome: Outcome) -> None:
        destination = self.status.destination
        self.status.count(outcome)
        self.metrics.outcomes.labels(destination, outcome.kind, str(outcome.reason)).inc()
        if self.events_logged:
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


def _expired(work: Work, outcome: Outcome) -> Outcome:
    reasons = {outcome.reason, work.waiting.reason if work.waiting else ""}
    if Parked.WAITS_FOR_CONTACT in reasons:
        return dead(Dead.UPSTREAM_INIT_REFUSED, "no e-mail and no push token came in time")
    return dead(Dead.RETRIES_EXHAUSTED, "kept failing until its time was up")
