"""What waits in the spool, read from its files: also while nobody runs."""

from dataclasses import dataclass

from eventlog.drain import GROUP
from eventlog.log import EventLog
from eventlog.spooled import topic_of
from eventlog.topics import Topics


@dataclass(slots=True)
class Waiting:
    """`bytes` of keys and values; `oldest` is when the first was received, in seconds since the epoch."""

    records: int = 0
    bytes: int = 0
    oldest: float = 0.0


async def waiting(spool: EventLog, topics: Topics) -> dict[str, Waiting]:
    """By the topic that each record is meant for. It is read through: a million records take some seconds."""
    scanner, name = await spool.open_scanner(), topics.spool.name
    bounds, committed = await scanner.bounds(name), await scanner.committed(GROUP, name)
    left = {number: (max(first, committed.get(number, first)), end) for number, (first, end) in bounds.items()}
    found: dict[str, Waiting] = {}
    async for record in scanner.scan(name, ranges=left):
        one = found.setdefault(topic_of(record), Waiting(oldest=record.timestamp))
        one.records += 1
        one.bytes += len(record.key) + len(record.value or b"")
        one.oldest = min(one.oldest, record.timestamp)
    return found


async def too_large(spool: EventLog, topics: Topics) -> int:
    """How many records Kafka has refused for their size."""
    bounds = await (await spool.open_scanner()).bounds(topics.oversize.name)
    return sum(end - first for first, end in bounds.values())
