"""What every writer shares: the largest record, the answer to a caller; and the one way to wait for durability."""

import asyncio
from collections.abc import Sequence
from typing import Final

from base.logs import Logger
from eventlog.errors import AppendError, RecordTooLarge
from eventlog.log import LogWriter, Position, Record, Settled

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024  # an event of 900 KiB, as a dead letter with its request and reply


async def append_durably(writer: LogWriter, records: Sequence[Record]) -> list[Position]:
    """Where each record stands now, in the order given. Raises the first AppendError, once all are settled."""
    if not records:
        return []
    settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    results: dict[int, Position | AppendError] = {}
    left = len(records)

    def take(record: Record, result: Position | AppendError) -> None:
        nonlocal left
        results[id(record)] = result
        left -= 1
        if not left and not settled.done():  # who waited may have been cancelled
            settled.set_result(None)

    writer.append(records, take)
    await settled
    positions = []
    for record in records:
        result = results[id(record)]
        if isinstance(result, AppendError):
            raise result
        positions.append(result)
    return positions


def tell(settled: Settled, record: Record, result: Position | AppendError, logger: Logger) -> None:
    """One caller's answer; what it raises is its own trouble, and the next caller still gets theirs."""
    try:
        settled(record, result)
    except Exception:  # a callback is not ours: whatever it raises must not leave others unanswered
        logger.exception("settled_raised", topic=record.topic)


def too_large(record: Record) -> RecordTooLarge | None:
    size = len(record.key) + len(record.value or b"")
    for name, value in record.headers:  # a loop: this runs for every record, and costs a third of a sum()
        size += len(name) + len(value)
    if size <= MAX_RECORD_BYTES:
        return None
    return RecordTooLarge(f"a record of {size} bytes; {record.topic} takes at most {MAX_RECORD_BYTES}")
