"""What the intake counts and logs: every refusal and every verdict by its reason."""

from collections.abc import Mapping
from typing import Any

from base.clock import Clock
from base.logs import Logger
from base.metrics import CollectorMetrics, Counts
from base.reasons import Quarantine, Refusal
from base.values import NOTHING, Value
from collector.judging.judge import Verdict

_QUIET_SECONDS = 10.0
# A proxy that is not trusted is where everybody comes from.
_TOO_FAST = "a proxy of yours? collector.trusted_proxies. A load test? collector.rates.unlimited"


class Noted(Value, frozen=True):
    """`line` is empty when no line is wanted for each event; `client` is of who is too fast."""

    type: str
    appkeyname: str
    reasons: tuple[Quarantine, ...]
    client: str | None
    botrule: str | None
    line: Mapping[str, Any]


class Reports:
    """`events`: a log line for each event that was made durable."""

    def __init__(self, metrics: CollectorMetrics, logger: Logger, clock: Clock, *, events: bool) -> None:
        self._metrics = metrics
        self._received = Counts(metrics.events)
        self._bots = Counts(metrics.bots)
        self._logger = logger
        self._clock = clock
        self._events = events
        self._quiet_until: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def refused(self, refusal: Refusal, detail: str = "") -> None:
        """Counted always; a line for a reason at most every ten seconds, which says how many it stands for."""
        self._metrics.refused.labels(refusal).inc()
        self._say_rarely("request.refused", refusal, detail=detail)

    def _say_rarely(self, what: str, reason: Refusal | Quarantine, **told: str | None) -> None:
        now = self._clock.monotonic()
        if now < self._quiet_until.get(reason, now):
            self._unsaid[reason] = self._unsaid.get(reason, 0) + 1
            return
        self._quiet_until[reason] = now + _QUIET_SECONDS
        unsaid = self._unsaid.pop(reason, 0)
        self._logger.warning(what, reason=reason, times=unsaid + 1, **told)

    def note(self, verdict: Verdict) -> Noted:
        """What is to be counted and said of an event once it is durable."""
        event, reasons = verdict.event, verdict.reasons
        client = event.clientaddress if reasons and Quarantine.OVER_RATE in reasons else None
        line = self._line(verdict) if self._events else NOTHING
        return Noted(event.type, event.appkeyname, reasons, client, event.botrule, line)

    def received(self, noted: Noted) -> None:
        self._received.add(noted.type, "quarantined" if noted.reasons else "accepted")
        if noted.reasons:
            self._quarantined(noted)
        if noted.botrule is not None:
            self._bots.add(noted.botrule)
        if noted.line:
            self._logger.info("event.received", **noted.line)

    def _quarantined(self, noted: Noted) -> None:
        for reason in noted.reasons:
            self._metrics.quarantined.labels(reason).inc()
        if Quarantine.OVER_RATE in noted.reasons:
            told = {"client": noted.client, "appkeyname": noted.appkeyname, "hint": _TOO_FAST}
            self._say_rarely("event.over_rate", Quarantine.OVER_RATE, **told)

    def _line(self, verdict: Verdict) -> dict[str, Any]:
        event, reasons = verdict.event, verdict.reasons
        return {
            "id": event.id,
            "type": event.type,
            "subject": event.subject,
            "appkeyname": event.appkeyname,
            "door": event.door,
            "verdict": "quarantined" if reasons else "accepted",
            "reasons": list(reasons),
            **({} if event.botrule is None else {"botrule": event.botrule}),
            "warnings": [remark.code for remark in verdict.remarks if remark.code not in reasons],
        }

    def trouble(self, what: str, error: BaseException) -> None:
        self._logger.error(what, error=f"{type(error).__name__}: {error}")
