"""What became of every offset: counts and exceptions, a record for each stretch that is about to be committed.

A receipt is in the log before its stretch is committed, so receipts leave no hole; after a crash the same offsets may
have a second receipt, and the later one tells what happened. So it is for a parked event that is settled in the end.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from base.clock import rfc3339
from eventlog.log import Record
from forwarder.destinations.base import Outcome
from forwarder.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Offsets `first_offset` up to, not including, `next_offset`: all delivered but for the `exceptions`
    ({offset, id, outcome, reason}; a hole in the log is {offset, end, outcome: lost, reason}) and offsets that were not for this destination. `at` is RFC 3339."""

    destination: str
    partition: int
    at: str
    first_offset: int
    next_offset: int
    delivered: int
    exceptions: tuple[dict[str, Any], ...] = ()

    def to_record(self, topic: str, timestamp: float) -> Record:
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Record(topic, f"{self.destination}:{self.partition}".encode(), orjson.dumps(body), timestamp)


@dataclass(slots=True)
class Stretch:
    """One partition's outcomes that no receipt has told yet."""

    first: int
    _outcomes: dict[int, tuple[str, Outcome]] = field(default_factory=dict)
    _lost: list[dict[str, Any]] = field(default_factory=list)

    def lose(self, first: int, end: int, cause: str) -> None:
        """Offsets `first` up to, not including, `end` can't be read any more."""
        self._lost.append({"offset": first, "end": end, "outcome": "lost", "reason": cause})

    def add(self, offset: int, event_id: str, outcome: Outcome) -> None:
        self._outcomes[offset] = (event_id, outcome)

    def cut(self, end: int, destination: str, partition: int, now: float) -> Receipt | None:
        """The receipt up to `end`, once; None when nothing has moved."""
        if end == self.first:
            return None
        told = {offset: self._outcomes.pop(offset) for offset in sorted(self._outcomes) if offset < end}
        receipt = Receipt(
            destination=destination,
            partition=partition,
            at=rfc3339(now),
            first_offset=self.first,
            next_offset=end,
            delivered=sum(outcome.kind == "delivered" for _, outcome in told.values()),
            exceptions=(*_exceptions(told), *(lost for lost in self._lost if lost["offset"] < end)),
        )
        self.first = end
        self._lost = [lost for lost in self._lost if lost["offset"] >= end]
        return receipt


def single(work: Work, outcome: Outcome, destination: str, now: float) -> Receipt | None:
    """For an event whose offset was told of before, as parked."""
    stretch = Stretch(work.offset)
    stretch.add(work.offset, work.event.id, outcome)
    return stretch.cut(work.offset + 1, destination, work.partition, now)


def _exceptions(told: dict[int, tuple[str, Outcome]]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"offset": offset, "id": event_id, "outcome": outcome.kind, "reason": str(outcome.reason)}
        for offset, (event_id, outcome) in told.items()
        if outcome.kind != "delivered"
    )
