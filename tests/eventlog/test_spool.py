"""The spool: nothing settled is lost, a key keeps its order, what may be twice says so; and no 2xx without a disk."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.appending import append_durably
from eventlog.embedded import EmbeddedLog
from eventlog.errors import LogUnavailable
from eventlog.event import RECORD_HEADERS
from eventlog.log import EventLog, LogWriter, Record, StoredRecord
from eventlog.memory import MemoryLog
from eventlog.settings import EmbeddedSettings
from eventlog.spool import SpooledLog, SpoolingWriter
from eventlog.topics import Topics
from tests.support.flaky import FlakyLog

pytestmark = pytest.mark.anyio
OURS = Topics("t")
EVENTS = OURS.events.name


@pytest.fixture
def spool(tmp_path: Path) -> EmbeddedLog:
    kept = (OURS.spool, OURS.oversize)
    metrics = log_metrics(CollectorRegistry())
    return EmbeddedLog(EmbeddedSettings(), tmp_path, kept, clock=SystemClock(), metrics=metrics, logger=quiet_logger())


@pytest.mark.parametrize("seed", range(3))
async def test_outages_lose_nothing_keep_the_order_of_each_key_and_flag_what_may_be_twice(
    spool: EmbeddedLog, seed: int
) -> None:
    random = Random(seed)
    primary = FlakyLog(MemoryLog(), random)
    async with spooling(primary, spool) as one, spooling(primary, spool) as other:
        writers = {b"key-%d" % number: (one, other)[number % 2] for number in range(10)}
        sending = []
        for number in range(3000):
            key = b"key-%d" % random.randrange(10)
            sending.append(asyncio.ensure_future(append_durably(writers[key], [an_event(key, number)])))
            if random.random() < 0.05:
                primary.failing += random.random() < 0.1
                await asyncio.sleep(random.random() / 100)
        await asyncio.gather(*sending)
        primary.failing = 0
        await until_direct(one)
        await until_direct(other)
        last = await append_durably(one, [an_event(b"key-0", 3000)])
    stored = primary.kept.topics[EVENTS][0].records
    assert stored[-1].position == last[0]
    numbers: defaultdict[bytes, list[int]] = defaultdict(list)
    for record in stored:
        event = event_of(record)
        if event["number"] not in numbers[record.key]:
            numbers[record.key].append(event["number"])
        else:
            assert event["maybeduplicate"]
    assert sorted(number for key in numbers for number in numbers[key]) == list(range(3001))
    assert all(found == sorted(found) for found in numbers.values())
    flags = [(event.get("spooled"), event.get("maybeduplicate")) for event in map(event_of, stored)]
    assert {(None, None), (True, None), (True, True)} <= set(flags)


async def test_what_waits_in_the_spool_survives_the_process(spool: EmbeddedLog) -> None:
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka at b1:9092 can't be used")
    async with spooling(primary, spool) as writer:
        await append_durably(writer, [an_event(b"key", 0), Record(EVENTS, b"key", None, 7.5, (("a", b"b"),))])
        await writer.look()
        state = writer.state()
        assert (state.status, state.spooled) == ("degraded", 2)
        assert "b1:9092" in state.detail
    assert EVENTS not in primary.topics
    primary.outage = None
    async with spooling(primary, spool) as writer:
        assert writer.state().status == "degraded"
        await append_durably(writer, [an_event(b"key", 1)])
        await until_direct(writer)
    first, tombstone, second = primary.topics[EVENTS][0].records
    assert orjson.loads(first.value or b"")["spooled"]
    assert first.headers == RECORD_HEADERS
    assert (tombstone.value, tombstone.timestamp, tombstone.headers) == (None, 7.5, (("a", b"b"),))
    assert orjson.loads(second.value or b"")["number"] == 1


async def test_nothing_is_settled_that_is_durable_nowhere() -> None:
    primary, spool = MemoryLog(), MemoryLog()
    primary.outage, spool.outage = LogUnavailable("Kafka is away"), LogUnavailable("no space left")
    async with spooling(primary, spool) as writer:
        with pytest.raises(LogUnavailable, match="no space left"):
            await append_durably(writer, [an_event(b"key", 0)])
        assert writer.state().status == "down"
        assert "no space left" in writer.state().detail
        spool.outage = None
        await append_durably(writer, [an_event(b"key", 1)])
        assert writer.state().status == "degraded"


async def test_too_large_for_the_log_is_kept_beside_the_spool_and_holds_nobody_up(spool: EmbeddedLog) -> None:
    primary = FlakyLog(MemoryLog(), Random(1))
    async with spooling(primary, spool) as writer:
        primary.limit = 200
        await append_durably(writer, [an_event(b"key", 0, b"x" * 200), an_event(b"key", 1)])
        primary.failing = 1
        await append_durably(writer, [an_event(b"key", 2), an_event(b"key", 3, b"x" * 200), an_event(b"key", 4)])
        await until_direct(writer)
    scanner = await spool.open_scanner()
    kept = [record async for record in scanner.scan(OURS.oversize.name)]
    assert [number_of(record) for record in kept] == [0, 3]
    assert {number_of(record) for record in primary.kept.topics[EVENTS][0].records} == {1, 2, 4}


def an_event(key: bytes, number: int, text: bytes = b"") -> Record:
    value = orjson.dumps({"specversion": "1.0", "number": number, "data": {"spooled": "no", "text": text.decode()}})
    return Record(EVENTS, key, value, float(number), RECORD_HEADERS)


def event_of(record: StoredRecord) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(record.value or b"")
    return event


def number_of(record: StoredRecord) -> int:
    number: int = event_of(record)["number"]
    return number


async def until_direct(writer: LogWriter) -> None:
    async with asyncio.timeout(20.0):
        while writer.state().status != "ok":
            await asyncio.sleep(0.02)


@asynccontextmanager
async def spooling(primary: EventLog, spool: EventLog) -> AsyncIterator[SpoolingWriter]:
    metrics = log_metrics(CollectorRegistry())
    writer = await SpooledLog(primary, spool, topics=OURS, metrics=metrics, logger=quiet_logger()).open_writer()
    try:
        yield writer
    finally:
        await writer.close(10.0)
