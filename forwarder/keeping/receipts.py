"""What became of every offset: counts and exceptions, a record for each stretch that is about to be committed.

A receipt is in the log before its stretch is committed, so receipts leave no hole; after a crash the same offsets may
have a second receipt, and the later one tells what happened. A parked event that is settled in the end has one that is
`single`, of this offset and of those that were settled with it; it may stand before the stretch that says `parked`, as
that is written when it is committed: what is not `parked` counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from base.clock import rfc3339
from eventlog.log import Record
from forwarder.destinations.base import Outcome
from forwarder.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Offsets `first_offset` up to, not including, `next_offset`: all delivered, answered with the HTTP status
    `answer`, but for the `exceptions` ({offset, id, outcome, reason, answer?, late?}; a hole in the log is
    {offset, end, outcome: lost, reason}) and offsets that were not for this destination. One that is `single` tells of
    its `offsets` alone: all delivered, and late or not, or all among the exceptions. `at` is RFC 3339."""

    destination: str
    partition: int
    at: str
    first_offset: int
    next_offset: int
    delivered: int
    exceptions: tuple[Mapping[str, Any], ...] = ()
    answer: int | None = None
    single: bool = False
    offsets: tuple[int, ...] = ()
    late: bool = False

    def to_record(self, topic: str, timestamp: float) -> Record:
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Record(topic, receipt_key(self.destination, self.partition), orjson.dumps(body), timestamp)

    @classmethod
    def from_bytes(cls, body: bytes) -> "Receipt":
        """What a newer version added is passed over."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in orjson.loads(body).items() if name in known})

    @property
    def all(self) -> Sequence[int]:
        """The offsets that it tells of."""
        return self.offsets or range(self.first_offset, self.next_offset)

    def told(self, offset: int) -> Mapping[str, Any]:
        """{outcome, reason, answer?, late?} of one of its offsets."""
        for exception in self.exceptions:
            if exception["offset"] <= offset < exception.get("end", exception["offset"] + 1):
                return exception
        late = {"late": True} if self.late else {}
        return {"outcome": "delivered", "reason": "", "answer": self.answer, **late}


def receipt_key(destination: str, partition: int) -> bytes:
    return f"{destination}:{partition}".encode()


Told = tuple[str, Outcome, int | None]  # the event's id, what became of it, the status of the answer


@dataclass(slots=True)
class Stretch:
    """One partition's outcomes that no receipt has told yet."""

    first: int
    _outcomes: dict[int, Told] = field(default_factory=dict)
    _lost: list[dict[str, Any]] = field(default_factory=list)

    @property
    def untold(self) -> int:
        return len(self._outcomes)

    def lose(self, first: int, end: int, cause: str) -> None:
        """Offsets `first` up to, not including, `end` can't be read any more."""
        self._lost.append({"offset": first, "end": end, "outcome": "lost", "reason": cause})

    def add(self, offset: int, told: Told) -> None:
        self._outcomes[offset] = told

    def cut(self, end: int, destination: str, partition: int, now: float) -> Receipt | None:
        """The receipt up to `end`, once; None when nothing has moved."""
        if end == self.first:
            return None
        told = {offset: self._outcomes.pop(offset) for offset in sorted(self._outcomes) if offset < end}
        delivered = [answer for _, outcome, answer in told.values() if outcome.kind == "delivered"]
        usual = next((answer for answer, _ in Counter(delivered).most_common(1)), None)
        receipt = Receipt(
            destination=destination,
            partition=partition,
            at=rfc3339(now),
            first_offset=self.first,
            next_offset=end,
            delivered=len(delivered),
            exceptions=(*_exceptions(told, usual), *(lost for lost in self._lost if lost["offset"] < end)),
            answer=usual,
        )
        self.first = end
        self._lost = [lost for lost in self._lost if lost["offset"] >= end]
        return receipt


def single(
    works: Sequence[Work], outcome: Outcome, answer: int | None, destination: str, now: float
) -> Iterator[Receipt]:
    """For events whose offsets were told of before, as parked: one for those of a partition."""
    for partition in sorted({work.partition for work in works}):
        told = {work.offset: (work.event.id, outcome, answer) for work in works if work.partition == partition}
        is_delivered = outcome.kind == "delivered"
        yield Receipt(
            destination=destination,
            partition=partition,
            at=rfc3339(now),
            first_offset=min(told),
            next_offset=max(told) + 1,
            delivered=len(told) if is_delivered else 0,
            exceptions=() if is_delivered else tuple(_exceptions(told, None)),
            answer=answer if is_delivered else None,
            single=True,
            offsets=tuple(sorted(told)),
            late=outcome.late,
        )


def _exceptions(told: Mapping[int, Told], usual: int | None) -> Iterable[dict[str, Any]]:
    for offset, (event_id, outcome, answer) in told.items():
        if outcome.kind == "delivered" and answer == usual and not outcome.late:
            continue
        exception = {"offset": offset, "id": event_id, "outcome": outcome.kind, "reason": str(outcome.reason)}
        if outcome.kind == "delivered":
            exception["answer"] = answer
        if outcome.late:
            exception["late"] = True
        yield exception
