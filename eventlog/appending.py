"""What every writer shares: the largest record, the answer to a caller; and the one way to wait for durability."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from base.logs import Logger
from eventlog.errors import AppendError, RecordTooLarge
from eventlog.log import LogWriter, Position, Record, Settled

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024  # an event of 900 KiB, as a dead letter with its request and reply


async def append_durably(writer: LogWriter, records: Sequence[Record]) -> list[Position]:
    """Where each record stands now, in the order given. Raises the first AppendError, once all are settled."""
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Future[Position | AppendError]] = [loop.create_future() for _ in records]
    for record, answer in zip(records, answers, strict=True):
        writer.append((record,), partial(_answer, answer))
    positions = []
    for result in await asyncio.gather(*answers):
        if isinstance(result, AppendError):
            raise result
        positions.append(result)
    return positions


def _answer(waiting: "asyncio.Future[Position | AppendError]", _: Record, result: Position | AppendError) -> None:
    if not waiting.done():  # who waited may have been cancelled
        waiting.set_result(result)


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
