"""Which of some records the log has already: looked up in its tail, before they go there a second time."""

import asyncio
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from eventlog.errors import LogUnavailable
from eventlog.log import EventLog, Record
from eventlog.spooled import bare, is_event

AROUND_SECONDS: Final = 10.0  # other hosts write at the same time, by clocks that differ
LOOK_SECONDS: Final = 5.0
_SAME_SECONDS: Final = 0.002  # Kafka keeps milliseconds


async def landed(log: EventLog, records: Iterable[Record]) -> set[int]:
    """The `id()` of those that stand in the log. LogUnavailable when it can't be read in time.

    Only events are told apart: the same bytes of the same key at the same moment are the same event. Read is what the
    log holds of their own time, from the oldest of them until AROUND_SECONDS behind the newest.
    """
    wanted: dict[str, dict[bytes, Record]] = {}
    for record in records:
        if is_event(record):
            wanted.setdefault(record.topic, {})[_essence(record.key, record.value)] = record
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return {id(record) for topic, asked in wanted.items() for record in await _found(log, topic, asked)}
    except TimeoutError as error:
        raise LogUnavailable("the log's tail can't be read in time") from error


async def _found(log: EventLog, topic: str, wanted: dict[bytes, Record]) -> list[Record]:
    scanner = await log.open_scanner()
    times = [record.timestamp for record in wanted.values()]
    since, until = min(times) - _SAME_SECONDS, max(times) + AROUND_SECONDS
    found = {}
    async for stored in scanner.scan(topic, since, until=until):
        essence = _essence(stored.key, stored.value)
        record = wanted.get(essence)
        if record is not None and abs(record.timestamp - stored.timestamp) < _SAME_SECONDS:
            found[essence] = record
    return list(found.values())


def _essence(key: bytes, value: bytes | None) -> bytes:
    """The same whether it says that it was spooled or not."""
    return blake2b(bare(value or b""), key=blake2b(key, digest_size=32).digest(), digest_size=16).digest()
