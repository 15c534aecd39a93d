"""What `ochn status` reads: `<data_dir>/forwarder/<destination>.status.json`, replaced whole when something changed."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from base.clock import Clock, rfc3339
from forwarder.breaker import Breaker
from forwarder.destinations.base import Outcome


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

    def count(self, outcome: Outcome) -> None:
        self.late += outcome.late
        if outcome.kind == "delivered":
            self.delivered += 1
            self.last_success = self.clock.now()
        elif outcome.kind == "dead":
            self.dead += 1
        elif outcome.kind == "filtered":
            self.filtered[str(outcome.reason)] += 1

    def show(self, breaker: Breaker, parked: int, in_flight: int) -> None:
        state = ("troubled", self.problem) if self.problem else (breaker.state, breaker.reason)
        if state != self._state:
            self._state, self._since = state, rfc3339(self.clock.now())
        document: dict[str, Any] = {
            "destination": self.destination,
            "kind": self.kind,
            "state": state[0],
            "reason": state[1],
            "detail": breaker.detail,
            "since": self._since,
            "last_success": None if self.last_success is None else rfc3339(self.last_success),
            "last_error": breaker.last_error,
            "delivered": self.delivered,
            "late": self.late,
            "dead": self.dead,
            "filtered": dict(self.filtered),
            "parked": parked,
            "in_flight": in_flight,
            "pid": os.getpid(),
        }
        body = orjson.dumps(document)
        if body != self._shown:
            self._shown = body
            draft = self.path.with_name(f"{self.path.name}.draft")
            draft.write_bytes(body)
            draft.replace(self.path)
