"""A log with its spool, for tests: one to open, events that tell their number, and what stands in the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import LogMetrics, log_metrics
from eventlog.clean_end import CleanEnd
from eventlog.embedded import EmbeddedLog
from eventlog.event import RECORD_HEADERS
from eventlog.log import EventLog, LogWriter, Record, StoredRecord
from eventlog.memory import MemoryLog
from eventlog.settings import EmbeddedSettings
from eventlog.spool import SpooledLog
from eventlog.spool_state import SpoolState
from eventlog.spooling import SpoolingWriter
from eventlog.topics import Topics

OURS = Topics("t")
EVENTS = OURS.events.name


def a_spool(directory: Path, **settings: object) -> EmbeddedLog:
    kept, metrics = (OURS.spool, OURS.oversize), log_metrics(CollectorRegistry())
    embedded = EmbeddedSettings.model_validate(settings)
    return EmbeddedLog(embedded, directory, kept, clock=SystemClock(), metrics=metrics, logger=quiet_logger())


@asynccontextmanager
async def spooling(
    primary: EventLog,
    spool: EventLog,
    directory: Path,
    *,
    slow_seconds: float = 0.25,
    crowded: Callable[[], bool] = lambda: False,
    metrics: LogMetrics | None = None,
) -> AsyncIterator[SpoolingWriter]:
    log = SpooledLog(
        primary,
        spool,
        slow_seconds=slow_seconds,
        topics=OURS,
        crowded=crowded,
        shown=SpoolState(directory, SystemClock()),
        clean_end=CleanEnd(directory),
        metrics=metrics or log_metrics(CollectorRegistry()),
        logger=quiet_logger(),
    )
    writer = await log.open_writer()
    try:
        yield writer
    finally:
        await writer.close(10.0)


async def until_direct(writer: LogWriter) -> None:
    async with asyncio.timeout(60.0):
        while writer.state().status != "ok":
            await asyncio.sleep(0.02)


def an_event(key: bytes, number: int, text: bytes = b"", topic: str = EVENTS) -> Record:
    data = {"spooled": "no", "text": text.decode()}
    value = orjson.dumps({"specversion": "1.0", "id": f"id-{number}", "number": number, "data": data})
    return Record(topic, key, value, float(number), RECORD_HEADERS)


def event_of(record: StoredRecord) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(record.value or b"")
    return event


def number_of(record: StoredRecord) -> int:
    number: int = event_of(record)["number"]
    return number


def numbers(log: MemoryLog, topic: str = EVENTS) -> list[int]:
    """What stands in a log of one partition, in its order."""
    return [number_of(record) for record in log.topics[topic][0].records] if topic in log.topics else []
