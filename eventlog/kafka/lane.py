"""A partition's queue: what arrived while its last batch was on the way goes together in the next."""

from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from base.values import Value
from eventlog.log import Headers, Record, Settled

_AROUND = (
    61 + 5 + 1 + 10 + 5 + 5 + 5 + 5
)  # a batch's own; a record's: length, attributes, time, offset, key, value, headers
_AROUND_HEADER = 5 + 5
BATCH_BYTES = 512 * 1024  # one record may be larger, and then goes alone


class Queued(Value, frozen=True):
    """`bytes` as `size` tells."""

    record: Record
    settled: Settled
    bytes: int


@dataclass(slots=True)
class Lane:
    topic: str
    partition: int
    limit: int  # bytes the brokers take in one batch
    queue: deque[Queued] = field(default_factory=deque)
    busy: bool = False

    def take(self, batch: Any) -> list[Queued]:
        """Moves records from the queue into `batch` (aiokafka's builder) while they fit, the first always."""
        taken: list[Queued] = []
        room = min(self.limit, BATCH_BYTES)
        while self.queue:
            record = self.queue[0].record
            room -= self.queue[0].bytes
            if taken and room < 0:
                break
            batch.append(
                timestamp=int(record.timestamp * 1000), key=record.key, value=record.value, headers=list(record.headers)
            )
            taken.append(self.queue.popleft())
        return taken


def size(record: Record) -> int:
    """At most this many bytes as a batch of its own: lengths that are written by the digit are taken for their longest."""
    return len(record.key) + len(record.value or b"") + _around(record.headers)


@lru_cache(maxsize=64)
def _around(headers: Headers) -> int:
    """Most records have the same."""
    return _AROUND + sum(_AROUND_HEADER + 4 * len(name) + len(value) for name, value in headers)
