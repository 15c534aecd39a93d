"""An arrival in, a durable event and its answer out: decides first (decide.py), then acts.

Answered 200 means durable: in `events`, or in `quarantine` with the reason why not there.
"""

from collections.abc import Callable, Sequence
from functools import partial

from base.clock import Clock
from base.ids import IdSource
from base.logs import Logger
from base.metrics import CollectorMetrics
from base.reasons import Quarantine, Refusal
from collector.admission import Admission
from collector.arrival import Arrival, Reply, Respond
from collector.cors import origin_headers
from collector.decide import Decider, Decision
from collector.errors import Refused
from collector.identity import build_identity
from collector.keeping import Keeper
from collector.keys import AppKey, Keys
from collector.limits import REFUSED
from collector.oversize import Fitted, truncate
from collector.rates import Rates
from collector.replies import Answers, refusal_reply
from collector.reports import Reports
from collector.routes import TRACKING_METHODS
from collector.settings import CollectorRoot
from eventlog.errors import AppendError, RecordTooLarge
from eventlog.event import RECORD_HEADERS
from eventlog.log import LogWriter, Position, Record
from eventlog.topics import Topics


def build_intake(
    settings: CollectorRoot,
    writer: LogWriter,
    topics: Topics,
    *,
    keys: Callable[[], Keys],
    admission: Admission,
    clock: Clock,
    ids: IdSource,
    metrics: CollectorMetrics,
    logger: Logger,
) -> "Intake":
    limits = settings.collector.limits
    identity = build_identity(settings.identity, ids, logger)
    rates = Rates(settings.collector.rates, limits.batch_events, clock.monotonic, dev=settings.profile == "dev")
    return Intake(
        writer,
        topics,
        decider=Decider(limits, identity, ids, keys, rates),
        answers=Answers(identity, settings.collector.cookie_seconds, settings.collector.warnings),
        admission=admission,
        keeper=Keeper(settings.data_dir),
        reports=Reports(metrics, logger, clock, events=settings.logging.events),
    )


class Intake:
    def __init__(
        self,
        writer: LogWriter,
        topics: Topics,
        *,
        decider: Decider,
        answers: Answers,
        admission: Admission,
        keeper: Keeper,
        reports: Reports,
    ) -> None:
        self._decider = decider
        self._answers = answers
        self._admission = admission
        self._keeper = keeper
        self._reports = reports
        self._writer = writer
        self._events = topics.events.name
        self._quarantine = topics.quarantine.name

    def take(self, arrival: Arrival, respond: Respond) -> None:
        """On the loop; `respond` is called exactly once, now or when all the request's events are settled."""
        if not self._admission.enter(len(arrival.body)):
            respond(self.refuse(REFUSED["in_flight_bytes"], arrival))
            return
        try:
            decision = self._decider.decide(arrival)
        except Refused as refused:
            self._admission.leave(len(arrival.body))
            respond(self._refuse(refused, arrival))
            return
        pending = _Pending(decision, respond)
        if pending.judged:
            self._keep(pending, range(pending.left))
        else:
            self._admission.leave(len(arrival.body))
            respond(self._answers.own_lead(decision))

    def refuse(
        self, refusal: Refusal, arrival: Arrival | None = None, key: AppKey | None = None, message: str = ""
    ) -> Reply:
        """Counted, logged, and told in the one shape that refusals have."""
        origin = None if arrival is None else arrival.headers.get("origin")
        self._reports.refused(refusal, message)
        return refusal_reply(refusal, message, origin_headers(origin, key))

    def _refuse(self, refused: Refused, arrival: Arrival) -> Reply:
        reply = self.refuse(refused.refusal, arrival, message=refused.message)
        if refused.refusal is Refusal.WRONG_METHOD:
            return Reply(reply.status, reply.body, (*reply.headers, ("allow", ", ".join(TRACKING_METHODS))))
        return reply

    def _keep(self, pending: "_Pending", places: Sequence[int]) -> None:
        """What stands beside the events first, then the events: an event never names a file that is not there."""
        kept = [each for place in places for each in pending.judged[place].kept]
        if kept:
            self._keeper.keep(kept, partial(self._kept, pending, places))
        else:
            self._append(pending, places)

    def _kept(self, pending: "_Pending", places: Sequence[int], trouble: BaseException | None) -> None:
        if trouble is None:
            self._append(pending, places)
            return
        self._reports.trouble("file.not_kept", trouble)
        for place in places:
            self._settle(pending, place, durable=False)

    def _append(self, pending: "_Pending", places: Sequence[int]) -> None:
        for place in places:
            record = self._record(pending.judged[place], pending.decision.arrival.received)
            self._writer.append((record,), partial(self._settled, pending, place))

    def _settled(self, pending: "_Pending", place: int, _: Record, outcome: Position | AppendError) -> None:
        fitted = pending.judged[place]
        if isinstance(outcome, RecordTooLarge) and Quarantine.EVENT_TOO_LARGE not in fitted.verdict.reasons:
            # The log takes less than it was made to: only this event goes to the oversize store.
            pending.judged[place] = truncate(fitted.verdict, fitted.encoded)
            self._keep(pending, [place])
            return
        self._settle(pending, place, durable=not isinstance(outcome, AppendError))

    def _record(self, fitted: Fitted, received: float) -> Record:
        event = fitted.verdict.event
        if fitted.verdict.reasons:
            return Record(self._quarantine, event.id.encode(), fitted.encoded, received, RECORD_HEADERS)
        return Record(self._events, event.subject.encode(), fitted.encoded, received, RECORD_HEADERS)

    def _settle(self, pending: "_Pending", place: int, *, durable: bool) -> None:
        pending.durable[place] = durable
        pending.left -= 1
        if pending.left:
            return
        self._admission.leave(len(pending.decision.arrival.body))
        self._report(pending)
        pending.respond(self._answer(pending))

    def _report(self, pending: "_Pending") -> None:
        for fitted, durable in zip(pending.judged, pending.durable, strict=True):
            if durable:
                self._reports.received(fitted.verdict)

    def _answer(self, pending: "_Pending") -> Reply:
        decision = pending.decision
        if not any(pending.durable):
            return self.refuse(Refusal.NOT_DURABLE, decision.arrival, decision.key)
        if decision.call.kind == "batch":
            return self._answers.many(decision, pending.judged, pending.durable)
        return self._answers.one(decision, pending.judged[0])


class _Pending:
    """A request until all its events are settled. A place is an event's index among them."""

    __slots__ = ("decision", "durable", "judged", "left", "respond")

    def __init__(self, decision: Decision, respond: Respond) -> None:
        self.decision = decision
        self.respond = respond
        self.judged = list(decision.judged)
        self.durable = [False] * len(self.judged)
        self.left = len(self.judged)
