"""What the intake counts and logs: every refusal and every verdict by its reason."""

from base.clock import Clock
from base.logs import Logger
from base.metrics import CollectorMetrics, Counts
from base.reasons import Refusal
from collector.judge import Verdict

_QUIET_SECONDS = 10.0


class Reports:
    """`events`: a log line for each event that was made durable."""

    def __init__(self, metrics: CollectorMetrics, logger: Logger, clock: Clock, *, events: bool) -> None:
        self._metrics = metrics
        self._received = Counts(metrics.events)
        self._logger = logger
        self._clock = clock
        self._events = events
        self._quiet_until: dict[Refusal, float] = {}
        self._unsaid: dict[Refusal, int] = {}

    def refused(self, refusal: Refusal, detail: str = "") -> None:
        """Counted always; a line for a reason at most every ten seconds, which says how many it stands for."""
        self._metrics.refused.labels(refusal).inc()
        now = self._clock.monotonic()
        if now < self._quiet_until.get(refusal, now):
            self._unsaid[refusal] = self._unsaid.get(refusal, 0) + 1
            return
        self._quiet_until[refusal] = now + _QUIET_SECONDS
        unsaid = self._unsaid.pop(refusal, 0)
        self._logger.warning("request.refused", reason=refusal, detail=detail, times=unsaid + 1)

    def received(self, verdict: Verdict) -> None:
        event, reasons = verdict.event, verdict.reasons
        label = "quarantined" if reasons else "accepted"
        self._received.add(event.type, label)
        for reason in reasons:
            self._metrics.quarantined.labels(reason).inc()
        if self._events:
            warnings = [remark.code for remark in verdict.remarks if remark.code not in reasons]
            self._logger.info(
                "event.received",
                id=event.id,
                type=event.type,
                subject=event.subject,
                appkeyname=event.appkeyname,
                door=event.door,
                verdict=label,
                reasons=list(reasons),
                warnings=warnings,
            )

    def trouble(self, what: str, error: BaseException) -> None:
        self._logger.error(what, error=f"{type(error).__name__}: {error}")
