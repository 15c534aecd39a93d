"""A partition's queue: what arrived while its last batch was on the way goes together in the next."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from eventlog.log import Record, Settled

BATCH_BYTES = 512 * 1024  # one record may be larger, and then goes alone


class Queued(NamedTuple):
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
            record, _, bytes_ = self.queue[0]
            room -= bytes_
            if taken and room < 0:
                break
            batch.append(
                timestamp=int(record.timestamp * 1000), key=record.key, value=record.value, headers=list(record.headers)
            )
            taken.append(self.queue.popleft())
        return taken


def size(record: Record) -> int:
    """At most this many bytes as a batch of its own."""
    bytes_: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    return bytes_
