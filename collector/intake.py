"""An arrival in, a durable event and its answer out: decides first (decide.py), then acts.

Answered 200 means durable: in `events`, or in `quarantine` with the reason why not there.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

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
from collector.judging.oversize import Fitted, truncate
from collector.judging.rates import Rates
from collector.judging.remarks import Remark
from collector.keeping import Keeper
from collector.limits import REFUSED
from collector.replies import NOTHING_TOLD, Answers, Asker, Told, asker_of, refusal_reply
from collector.reports import NOTHING_NOTED, Noted, Reports
from collector.routes import TRACKING_METHODS
from collector.settings import CollectorRoot
from eventlog.errors import AppendError, LogUnavailable, RecordTooLarge
from eventlog.event import RECORD_HEADERS, Event
from eventlog.log import LogWriter, Position, Record, Settled
from eventlog.topics import Topics

_Rest = tuple[tuple[Remark, ...], tuple[Quarantine, ...], Mapping[str, str]]  # a Verdict's remarks, reasons, answer
_NO_REST: Final[_Rest] = ((), (), {})


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
        self._put(_pending(asker_of(decision), arrival, len(decision.judged), respond), decision.judged)

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
        records = []
        for place, fitted in enumerate(judged, first):
            records.append(record := self._prepare(pending, place, fitted))
            pending.places[id(record)] = place
        kept = [each for fitted in judged for each in fitted.kept]
        settled = partial(self._settled, pending)
        if kept:
            self._keeper.keep(kept, partial(self._kept, records, settled))
        else:
            self._writer.append(records, settled)

    def _prepare(self, pending: "_Pending", place: int, fitted: Fitted) -> Record:
        verdict = fitted.verdict
        event, reasons = verdict.event, verdict.reasons
        pending.told[place] = self._answers.told(pending.asker, verdict)
        pending.noted[place] = self._reports.note(verdict)
        pending.rests[place] = verdict.remarks, reasons, verdict.answer
        name, key = (self._quarantine, event.id) if reasons else (self._events, event.subject)
        return Record(name, key.encode(), fitted.encoded, pending.received, RECORD_HEADERS)

    def _kept(self, records: Sequence[Record], settled: Settled, trouble: BaseException | None) -> None:
        if trouble is None:
            self._writer.append(records, settled)
            return
        self._reports.trouble("file.not_kept", trouble)
        for record in records:
            settled(record, LogUnavailable(str(trouble)))

    def _settled(self, pending: "_Pending", record: Record, outcome: Position | AppendError) -> None:
        place = pending.places[id(record)]
        if isinstance(outcome, RecordTooLarge) and Quarantine.EVENT_TOO_LARGE not in pending.rests[place][1]:
            # The log takes less than it was made to: only this event goes to the oversize store.
            encoded = record.value or b""
            verdict = Verdict(Event.from_bytes(encoded), *pending.rests[place])
            self._put(pending, [truncate(verdict, encoded)], place)
            return
        pending.durable[place] = not isinstance(outcome, AppendError)
        pending.left -= 1
        if not pending.left:
            self._end(pending)

    def _end(self, pending: "_Pending") -> None:
        self._admission.leave(pending.size)
        for noted, durable in zip(pending.noted, pending.durable, strict=True):
            if durable:
                self._reports.received(noted)
        if any(pending.durable):
            pending.respond(self._answers.reply(pending.asker, pending.told, pending.durable))
        else:
            pending.respond(self.refuse(Refusal.NOT_DURABLE, headers=pending.asker.cors))


class _Pending(Struct, eq=False):
    """A request until all its events are settled. A place is an event's index among them; `places` by the records' ids.

    What is said once they are durable is worked out before. So a request waits without what else it was made of, whose
    room in the processor's caches the next one finds warm (docs/decisions/0005-fast-lane.md).
    """

    asker: Asker
    received: float
    size: int
    respond: Respond
    left: int
    durable: list[bool]
    told: list[Told]
    noted: list[Noted]
    rests: list[_Rest]
    places: dict[int, int]


def _pending(asker: Asker, arrival: Arrival, events: int, respond: Respond) -> _Pending:
    return _Pending(
        asker,
        arrival.received,
        len(arrival.body),
        respond,
        events,
        durable=[False] * events,
        told=[NOTHING_TOLD] * events,
        noted=[NOTHING_NOTED] * events,
        rests=[_NO_REST] * events,
        places={},
    )
