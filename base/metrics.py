"""Every metric, declared once. Labels take only bounded values: names from the settings and codes of base.reasons.

With PROMETHEUS_MULTIPROC_DIR set (the supervisor sets it) all processes count into one directory and the supervisor's
admin address shows the sums; without it each process shows its own.
"""

import asyncio
from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counts:
    """What is counted in one turn of the loop, added at its end: a counter is a file's slot that other processes read,
    and a request would wait for several."""

    def __init__(self, counter: Counter) -> None:
        self._counter = cache(counter.labels)
        self._counts: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str, count: int = 1) -> None:
        """Call on the loop."""
        if not self._counts:
            asyncio.get_running_loop().call_soon(self._settle)
        self._counts[labels] = self._counts.get(labels, 0) + count

    def _settle(self) -> None:
        counts, self._counts = self._counts, {}
        for labels, count in counts.items():
            self._counter(*labels).inc(count)


@dataclass(frozen=True, slots=True)
class CollectorMetrics:
    requests: Counter
    refused: Counter
    events: Counter
    quarantined: Counter
    bots: Counter
    files_deleted: Counter
    answer_seconds: Histogram
    in_flight: Gauge


@dataclass(frozen=True, slots=True)
class LogMetrics:
    appended: Counter
    append_failed: Counter
    append_seconds: Histogram
    state: Gauge
    spooled: Gauge
    spool_breaker: Gauge
    spool_opened: Counter
    drained: Counter
    drained_already: Counter


@dataclass(frozen=True, slots=True)
class ForwarderMetrics:
    outcomes: Counter
    late: Counter
    calls: Counter
    call_seconds: Histogram
    lag: Gauge
    lag_seconds: Gauge
    paused: Gauge
    parked: Gauge
    gaps: Counter
    readers_replaced: Counter
    clock_jumps: Counter


def collector_metrics(registry: CollectorRegistry) -> CollectorMetrics:
    return CollectorMetrics(
        requests=Counter("ochn_requests", "Requests answered.", ["route", "status"], registry=registry),
        refused=Counter("ochn_refused", "Requests that got no 2xx.", ["reason"], registry=registry),
        events=Counter("ochn_events", "Events answered 2xx.", ["type", "verdict"], registry=registry),
        quarantined=Counter("ochn_quarantined", "Reasons of quarantined events.", ["reason"], registry=registry),
        bots=Counter("ochn_bots", "Events answered 2xx that a rule tagged.", ["rule"], registry=registry),
        files_deleted=Counter("ochn_files_deleted", "Files beside the log, deleted for their age.", registry=registry),
        answer_seconds=Histogram(
            "ochn_answer_seconds", "First byte to answer.", ["route"], buckets=SECONDS, registry=registry
        ),
        in_flight=Gauge("ochn_in_flight", "Requests not answered yet.", multiprocess_mode="livesum", registry=registry),
    )


def log_metrics(registry: CollectorRegistry) -> LogMetrics:
    return LogMetrics(
        appended=Counter("ochn_log_appended", "Records made durable.", ["topic"], registry=registry),
        append_failed=Counter("ochn_log_append_failed", "Records refused by the log.", ["reason"], registry=registry),
        append_seconds=Histogram(
            "ochn_log_append_seconds", "Append to durable, a group.", buckets=SECONDS, registry=registry
        ),
        state=Gauge("ochn_log_state", "0 ok, 1 degraded, 2 down.", multiprocess_mode="livemax", registry=registry),
        spooled=Gauge(
            "ochn_spool_records", "Records that wait in the spool.", multiprocess_mode="livemax", registry=registry
        ),
        spool_breaker=Gauge(
            "ochn_spool_breaker", "0 closed, 1 half-open, 2 open.", multiprocess_mode="livemax", registry=registry
        ),
        spool_opened=Counter("ochn_spool_opened", "Times that the breaker opened.", ["reason"], registry=registry),
        drained=Counter("ochn_spool_drained", "Records from the spool to the log.", registry=registry),
        drained_already=Counter(
            "ochn_spool_found", "Records in the spool that the log had already.", registry=registry
        ),
    )


def forwarder_metrics(registry: CollectorRegistry) -> ForwarderMetrics:
    return ForwarderMetrics(
        outcomes=Counter("ochn_outcomes", "Events settled.", ["destination", "outcome", "reason"], registry=registry),
        late=Counter("ochn_late", "Events delivered late.", ["destination"], registry=registry),
        calls=Counter("ochn_calls", "Upstream calls.", ["destination", "purpose", "status"], registry=registry),
        call_seconds=Histogram(
            "ochn_call_seconds", "An upstream call.", ["destination"], buckets=SECONDS, registry=registry
        ),
        lag=Gauge(
            "ochn_lag", "Events behind the log's end.", ["destination"], multiprocess_mode="livemax", registry=registry
        ),
        lag_seconds=Gauge(
            "ochn_lag_seconds",
            "Age of the first event that is not settled.",
            ["destination"],
            multiprocess_mode="livemax",
            registry=registry,
        ),
        paused=Gauge("ochn_paused", "1 while paused.", ["destination"], multiprocess_mode="livemax", registry=registry),
        parked=Gauge(
            "ochn_parked", "Events that wait parked.", ["destination"], multiprocess_mode="livesum", registry=registry
        ),
        gaps=Counter(
            "ochn_gap_records", "Records lost to a gap in the log.", ["destination", "cause"], registry=registry
        ),
        readers_replaced=Counter(
            "ochn_readers_replaced", "Readers of the log that were stuck.", ["destination"], registry=registry
        ),
        clock_jumps=Counter("ochn_clock_jumps", "Times that the wall clock was set.", ["direction"], registry=registry),
    )
