"""What waits in the spool, read from its files: also while nobody runs."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from eventlog.drain import GROUP
from eventlog.log import EventLog, LogScanner, StoredRecord
from eventlog.spooled import topic_of, unwrap
from eventlog.topics import Topics


@dataclass(slots=True)
class Waiting:
    """`bytes` of keys and values; `oldest` is when the first was received, in seconds since the epoch."""

    records: int = 0
    bytes: int = 0
    oldest: float = 0.0


async def waiting(spool: EventLog, topics: Topics) -> dict[str, Waiting]:
    """By the topic that each record is meant for. It is read through: a million records take some seconds."""
    scanner, found = await spool.open_scanner(), dict[str, Waiting]()
    async for record in _left(scanner, topics.spool.name):
        one = found.setdefault(topic_of(record), Waiting(oldest=record.timestamp))
        one.records += 1
        one.bytes += len(record.key) + len(record.value or b"")
        one.oldest = min(one.oldest, record.timestamp)
    return found


async def waiting_for(
    scanner: LogScanner, topics: Topics, topic: str, since: float | None = None, containing: bytes | None = None
) -> AsyncGenerator[StoredRecord, None]:
    """As they will stand in `topic`, but for their position, which is the spool's; and so is `scanner`. The rest as
    `LogScanner.scan` means it. Looked at before `topic` itself, none is missed on its way there."""
    async for record in _left(scanner, topics.spool.name, since, containing):
        if topic_of(record) == topic:
            yield record._replace(headers=unwrap(record).headers)


async def _left(
    scanner: LogScanner, spool: str, since: float | None = None, containing: bytes | None = None
) -> AsyncGenerator[StoredRecord, None]:
    bounds, committed = await scanner.bounds(spool), await scanner.committed(GROUP, spool)
    left = {number: (max(first, committed.get(number, first)), end) for number, (first, end) in bounds.items()}
    async for record in scanner.scan(spool, since, left, containing=containing):
        yield record


async def too_large(spool: EventLog, topics: Topics) -> int:
    """How many records Kafka has refused for their size."""
    bounds = await (await spool.open_scanner()).bounds(topics.oversize.name)
    return sum(end - first for first, end in bounds.values())
