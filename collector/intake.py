"""An arrival in, a durable event and its answer out: decides first (decide.py), then acts.

Answered 200 means durable: in `events`, or in `quarantine` with the reason why not there.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from base.clock import Clock
from base.ids import IdSource
from base.logs import Logger
from base.metrics import CollectorMetrics
from base.reasons import Quarantine, Refusal
from collector.admission import Admission
from collector.arrival import Arrival, HeaderList, Reply, Respond
from collector.cors import ANY_ORIGIN
from collector.errors import Refused
from collector.judging.bots import Bots
from collector.judging.decide import Decider
from collector.judging.identity import build_identity
from collector.judging.judge import Verdict
from collector.judging.keys import Keys
from collector.judging.oversize import Fitted, Kept, truncate
from collector.judging.rates import Rates
from collector.judging.remarks import Remark
from collector.keeping import Keeper
from collector.limits import REFUSED
from collector.replies import Answers, Asker, Told, asker_of, refusal_reply
from collector.reports import Noted, Reports
from collector.routes import TRACKING_METHODS
from collector.settings import CollectorRoot
from eventlog.errors import AppendError, LogUnavailable, RecordTooLarge
from eventlog.event import RECORD_HEADERS, Event
from eventlog.log import LogWriter, Position, Record, Settled
from eventlog.topics import Topics


def build_intake(
    settings: CollectorRoot,
    writer: LogWriter,
    topics: Topics,
    *,
    keys: Callable[[], Keys],
    bots: Callable[[], Bots],
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
        decider=Decider(limits, identity, ids, keys, rates=rates, bots=bots),
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
            respond(self.refuse(REFUSED["in_flight_bytes"]))
            return
        try:
            decision = self._decider.decide(arrival)
        except Refused as refused:
            self._admission.leave(len(arrival.body))
            respond(self._refuse(refused))
            return
        if not decision.judged:
            self._admission.leave(len(arrival.body))
            respond(self._answers.own_lead(decision))
            return
        asker = asker_of(decision)
        due = [self._due(asker, fitted.verdict) for fitted in decision.judged]
        pending = _Pending(asker, arrival.received, len(arrival.body), respond, len(due), due, {})
        self._put(pending, decision.judged)

    def refuse(self, refusal: Refusal, message: str = "", headers: HeaderList = ANY_ORIGIN) -> Reply:
        """Counted, logged, and told in the one shape that refusals have."""
        self._reports.refused(refusal, message)
        return refusal_reply(refusal, message, headers)

    def _refuse(self, refused: Refused) -> Reply:
        reply = self.refuse(refused.refusal, refused.message)
        if refused.refusal is Refusal.WRONG_METHOD:
            return Reply(reply.status, reply.body, (*reply.headers, ("allow", ", ".join(TRACKING_METHODS))))
        return reply

    def _put(self, pending: "_Pending", judged: Sequence[Fitted], first: int = 0) -> None:
        """What stands beside the events first, then the events: an event never names a file that is not there."""
        records, kept = [], list[Kept]()
        for place, fitted in enumerate(judged, first):
            record = self._record(fitted, pending.received)
            records.append(record)
            pending.places[id(record)] = place
            if fitted.kept:
                kept += fitted.kept
        settled = partial(self._settled, pending)
        if kept:
            self._keeper.keep(kept, partial(self._kept, records, settled))
        else:
            self._writer.append(records, settled)

    def _record(self, fitted: Fitted, received: float) -> Record:
        event, reasons = fitted.verdict.event, fitted.verdict.reasons
        name, key = (self._quarantine, event.id) if reasons else (self._events, event.subject)
        return Record(name, key.encode(), fitted.encoded, received, RECORD_HEADERS)

    def _due(self, asker: Asker, verdict: Verdict) -> "_Due":
        return _Due(self._answers.told(asker, verdict), self._reports.note(verdict), verdict.remarks, verdict.answer)

    def _kept(self, records: Sequence[Record], settled: Settled, trouble: BaseException | None) -> None:
        if trouble is None:
            self._writer.append(records, settled)
            return
        self._reports.trouble("file.not_kept", trouble)
        for record in records:
            settled(record, LogUnavailable(str(trouble)))

    def _settled(self, pending: "_Pending", record: Record, outcome: Position | AppendError) -> None:
        place = pending.places[id(record)]
        due = pending.due[place]
        if not isinstance(outcome, AppendError):
            due.durable = True
        elif isinstance(outcome, RecordTooLarge) and Quarantine.EVENT_TOO_LARGE not in due.told.reasons:
            # The log takes less than it was made to: only this event goes to the oversize store.
            encoded = record.value or b""
            small = truncate(Verdict(Event.from_bytes(encoded), due.remarks, due.told.reasons, due.answer), encoded)
            pending.due[place] = self._due(pending.asker, small.verdict)
            self._put(pending, [small], place)
            return
        pending.left -= 1
        if not pending.left:
            self._end(pending)

    def _end(self, pending: "_Pending") -> None:
        self._admission.leave(pending.size)
        durable = [due.durable for due in pending.due]
        for due in pending.due:
            if due.durable:
                self._reports.received(due.noted)
        if any(durable):
            pending.respond(self._answers.reply(pending.asker, [due.told for due in pending.due], durable))
        else:
            pending.respond(self.refuse(Refusal.NOT_DURABLE, headers=pending.asker.cors))


class _Due(Struct, eq=False, gc=False):
    """An event until it is settled: what is said of it once it is durable, and what it would be judged anew with."""

    told: Told
    noted: Noted
    remarks: tuple[Remark, ...]
    answer: Mapping[str, str]
    durable: bool = False


class _Pending(Struct, eq=False):
    """A request until all its events are settled. A place is an event's index in `due`; `places` by the records' ids.

    What is said once they are durable is worked out before. So a request waits without what else it was made of, whose
    room in the processor's caches the next one finds warm (docs/decisions/0005-fast-lane.md).
    """

    asker: Asker
    received: float
    size: int
    respond: Respond
    left: int
    due: list[_Due]
    places: dict[int, int]
