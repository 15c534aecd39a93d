"""A forwarder that has late events before it, and behind them some in time: what `loadtests.late` measures, once."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from forwarder.delivery.status import read_status
from loadtests.filling import LogOptions, Visit, visitor_of
from loadtests.forwarding import STALLED, stood_seconds
from loadtests.machine import cpu_seconds, resident_mb
from loadtests.pinned import destination, figures, forwarder, sink, two_cores

AGE = 25 * 3600.0  # seconds: the youngest late event's
OUTAGE_RATE = 100.0  # late events a second, as they came while the vendor was away
LOOK = 0.05  # seconds
REST, RESTING, LONGEST_REST = 0.5, 0.05, 20.0  # seconds; share of a core below which it rests; seconds


@dataclass(frozen=True)
class Case:
    """`lane`: how many late events may be parked; None: what the forwarder does when nothing is said."""

    vendor_ms: float
    calls_per_second: float | None
    visitors: str
    lane: int | None

    def environ(self) -> dict[str, str]:
        asked = {
            "OCHN_DESTINATIONS__NETCORE__CALLS_PER_SECOND": self.calls_per_second,
            "OCHN_FORWARDER__LATE_PARKED": self.lane,
        }
        return {name: str(value) for name, value in asked.items() if value is not None}

    def __str__(self) -> str:
        limit = f", {self.calls_per_second:g} calls/s" if self.calls_per_second else ""
        lane = "" if self.lane is None else f", lane {self.lane:,}"
        return f"{self.vendor_ms:g} ms{limit}, {self.visitors}{lane}"


@dataclass(frozen=True)
class Load:
    """Events, and `most` seconds that a run may take."""

    late: int
    in_time: int
    most: float

    @property
    def events(self) -> int:
        return self.late + self.in_time

    def visits(self, visitors: str) -> Iterator[Visit]:
        """The late ones first, in the order that they came in."""
        now, people = time.time(), 1 + max(map(visitor_of, range(self.late)), default=0)
        for number in range(self.late):
            yield Visit(number, visitor_of(number), now - AGE - (self.late - 1 - number) / OUTAGE_RATE)
        for number in range(self.in_time):
            visitor = visitor_of(number)
            yield Visit(self.late + number, visitor % people if visitors == "same" else people + visitor, now)


@dataclass(frozen=True)
class Look:
    """What had come `at` so many seconds after the start."""

    at: float
    in_time: int
    late: int


@dataclass(frozen=True)
class Row:
    """Seconds from the start; None: never. `stood_s`: so long others had its core; `flagged`: delivered as late by the
    forwarder's own count; `backwards`: came before an earlier one of their visitor; `again`: came twice."""

    vendor_ms: float
    calls_per_second: float | None
    visitors: str
    lane: int | None
    first_in_time_s: float | None
    half_in_time_s: float | None
    all_in_time_s: float | None
    last_late_s: float | None
    stood_s: float
    calls: int
    cpu_s: float
    cpu_us_per_event: float
    memory_mb: float
    flagged: int
    backwards: int
    again: int
    verdict: str


@dataclass(frozen=True)
class Used:
    """By the forwarder, from its start until it rests."""

    cpu: float  # seconds
    stood: float  # seconds
    memory_mb: float


def measure(case: Case, load: Load, options: LogOptions, tell: Callable[[Look], None]) -> Row:
    """`options`' log is filled; it is used up."""
    own, vendors = two_cores()
    with sink(vendors, "--late", str(load.late), "--answer-ms", str(case.vendor_ms)) as (port, _):
        here = {**options.environ(), **destination("netcore", port), "OCHN_LOGGING__LEVEL": "warning"}
        with forwarder({**here, **case.environ()}, own) as pid:
            cpu, stood, looks = cpu_seconds(pid), stood_seconds(pid), list[Look]()
            for look in watched(port, load):
                looks.append(look)
                tell(look)
            stood = stood_seconds(pid) - stood
            rest(pid)
            used = Used(cpu_seconds(pid) - cpu, stood, resident_mb(pid, peak=True))
        return row(case, load, looks, used, figures(port) | told(options))


def told(options: LogOptions) -> dict[str, int]:
    """By the forwarder at its end: what it has delivered as late, and what is parked still."""
    status = read_status(options.data, "netcore") or {}
    return {"flagged": status.get("late", 0), "parked": status.get("parked", 0)}


def watched(port: int, load: Load) -> Iterator[Look]:
    """Until all have come, none comes any more, or it takes too long."""
    began = moved = time.monotonic()
    seen = 0
    while seen < load.events and time.monotonic() < min(moved + STALLED, began + load.most):
        time.sleep(LOOK)
        came = figures(port)
        events, late = came.get("events", 0), came.get("late", 0)
        yield Look(time.monotonic() - began, events - late, late)
        if events > seen:
            seen, moved = events, time.monotonic()


def rest(pid: int) -> None:
    """Until what follows the last event is done: commits, receipts, parked ones that are taken back."""
    until, cpu = time.monotonic() + LONGEST_REST, -math.inf
    while cpu_seconds(pid) - cpu >= RESTING * REST and time.monotonic() < until:
        cpu = cpu_seconds(pid)
        time.sleep(REST)


def row(case: Case, load: Load, looks: Sequence[Look], used: Used, came: Mapping[str, int]) -> Row:
    in_time, late = [(look.at, look.in_time) for look in looks], [(look.at, look.late) for look in looks]
    whole = came.get("events", 0) == load.events and came["flagged"] >= load.late and not came["parked"]
    return Row(
        **asdict(case),
        first_in_time_s=when(in_time, 1),
        half_in_time_s=when(in_time, math.ceil(load.in_time / 2)),
        all_in_time_s=when(in_time, load.in_time),
        last_late_s=when(late, load.late),
        stood_s=round(used.stood, 1),
        calls=came.get("calls", 0),
        cpu_s=round(used.cpu, 2),
        cpu_us_per_event=round(used.cpu / load.events * 1e6, 1),
        memory_mb=round(used.memory_mb),
        flagged=came["flagged"],
        backwards=came.get("backwards", 0),
        again=came.get("again", 0),
        verdict="" if whole else "NOT WHOLE",
    )


def when(counts: Iterable[tuple[float, int]], wanted: int) -> float | None:
    """The first moment at which so many had come."""
    return next((round(at, 2) for at, count in counts if count >= wanted), None)
