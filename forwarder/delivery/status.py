"""What `ochn status` reads: `<data_dir>/forwarder/<destination>.status.json`, replaced whole when something changed."""

import os
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from base.clock import Clock, rfc3339
from base.files import write_whole
from forwarder.delivery.breaker import Breaker
from forwarder.destinations.base import Outcome

RATE_SECONDS: Final = 10.0  # over which the rate is told


def status_path(data_dir: Path, destination: str) -> Path:
    return data_dir / "forwarder" / f"{destination}.status.json"


def read_status(data_dir: Path, destination: str) -> dict[str, Any] | None:
    """What its forwarder last told; None: none has run on this data directory."""
    path = status_path(data_dir, destination)
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found


def read_all(data_dir: Path, destinations: Iterable[str]) -> dict[str, dict[str, Any] | None]:
    """By the destination's name."""
    return {name: read_status(data_dir, name) for name in destinations}


@dataclass(slots=True)
class Status:
    """Counts are since this process started. Written about once a second, and at the end."""

    destination: str
    kind: str
    path: Path
    clock: Clock
    delivered: int = 0
    dead: int = 0
    late: int = 0  # of those delivered
    filtered: Counter[str] = field(default_factory=Counter)
    last_success: float | None = None  # seconds since the epoch
    problem: str = ""  # of the relay itself: the log can't be read …
    _shown: bytes = b""
    _state: tuple[str, str | None] = ("", None)
    _since: str = ""
    _error: str = ""
    _failed: str | None = None  # when it last was seen in trouble
    _delivered: deque[tuple[float, int]] = field(default_factory=deque)  # (monotonic, how many by then)

    def count(self, outcome: Outcome, events: int) -> None:
        if outcome.late:
            self.late += events
        if outcome.kind == "delivered":
            self.delivered += events
            self.last_success = self.clock.now()
        elif outcome.kind == "dead":
            self.dead += events
        elif outcome.kind == "filtered":
            self.filtered[str(outcome.reason)] += events

    def show(self, breaker: Breaker, parked: int, in_flight: int, partitions: Iterable[int]) -> None:
        """`partitions`: those that are assigned."""
        held = sorted(partitions)
        state: tuple[str, str | None] = (breaker.state, breaker.reason)
        if self.problem:
            state = ("troubled", self.problem)
        if state[0] == "running" and not held:
            state = ("unassigned", None)
        if state != self._state:
            self._state, self._since = state, rfc3339(self.clock.now())
        if state[0] not in ("running", "unassigned") or breaker.last_error != self._error:
            self._error, self._failed = breaker.last_error, rfc3339(self.clock.now())
        document: dict[str, Any] = {
            "destination": self.destination,
            "kind": self.kind,
            "state": state[0],
            "reason": state[1],
            "detail": breaker.detail,
            "since": self._since,
            "last_success": None if self.last_success is None else rfc3339(self.last_success),
            "last_error": breaker.last_error,
            "last_failure": self._failed,
            "rate": self._rate(),
            "delivered": self.delivered,
            "late": self.late,
            "dead": self.dead,
            "filtered": dict(self.filtered),
            "parked": parked,
            "in_flight": in_flight,
            "partitions": held,
            "pid": os.getpid(),
        }
        body = orjson.dumps(document)
        if body != self._shown:
            self._shown = body
            write_whole(self.path, body)

    def _rate(self) -> float:
        """Events delivered a second."""
        now = self.clock.monotonic()
        self._delivered.append((now, self.delivered))
        while now - self._delivered[0][0] > RATE_SECONDS:
            self._delivered.popleft()
        began, before = self._delivered[0]
        return round((self.delivered - before) / (now - began), 1) if now > began else 0.0
