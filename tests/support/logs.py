"""What tests do with any log: open, fill, read on, and close whatever happened."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eventlog.appending import append_durably
from eventlog.log import Assigned, Batch, EventLog, Gap, Item, LogReader, LogWriter, Record, Start, StoredRecord

TIME = float(int(time.time()) - 600)  # a broker refuses what comes from the future, and soon deletes the distant past
PATIENCE = 90.0  # seconds: a broker that has just begun, on two busy cores, takes a while to seat a group


def a_record(topic: str, number: int = 0, *, key: bytes = b"visitor", at: float = TIME) -> Record:
    return Record(topic, key, b"value %d" % number, at, (("content-type", b"text/plain"), ("empty", b"")))


@asynccontextmanager
async def writing(log: EventLog) -> AsyncIterator[LogWriter]:
    writer = await log.open_writer()
    try:
        yield writer
    finally:
        await writer.close(PATIENCE)


@asynccontextmanager
async def reading(
    log: EventLog, topic: str, group: str = "group", start: Start = "earliest"
) -> AsyncIterator[LogReader]:
    reader = await log.open_reader(group, topic, start)
    try:
        yield reader
    finally:
        await reader.close(PATIENCE)


async def fill(log: EventLog, topic: str, count: int, *, first: int = 0, at: float = TIME) -> list[Record]:
    """Appends `count` records of one key, each a second after the one before."""
    records = [a_record(topic, number, at=at + number) for number in range(first, first + count)]
    async with writing(log) as writer:
        await append_durably(writer, records)
    return records


async def next_item(reader: LogReader, max_records: int = 500) -> Item:
    item = await reader.next(max_records, PATIENCE)
    assert item is not None, f"nothing came within {PATIENCE:.0f} s"
    return item


async def assigned(reader: LogReader) -> Assigned:
    """The reader's place; a partition that it had and is given again does not count."""
    item = await next_item(reader, 0)
    while not isinstance(item, Assigned):
        item = await next_item(reader, 0)
    return item


async def read(reader: LogReader, count: int) -> list[StoredRecord]:
    """The next `count` records; fails on a gap."""
    records: list[StoredRecord] = []
    while len(records) < count:
        item = await next_item(reader)
        assert not isinstance(item, Gap), item
        records += item.records if isinstance(item, Batch) else ()
    return records


async def scanned(log: EventLog, topic: str, **what: object) -> list[StoredRecord]:
    scanner = await log.open_scanner()
    return [record async for record in scanner.scan(topic, **what)]  # type: ignore[arg-type]


def values(records: list[StoredRecord] | list[Record]) -> list[bytes | None]:
    return [record.value for record in records]
