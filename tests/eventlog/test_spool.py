"""The spool: nothing settled is lost, a key keeps its order, what may be twice says so; and no 2xx without a disk."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from random import Random

import orjson
import pytest

from base.errors import StartError
from eventlog.appending import append_durably
from eventlog.drain import GROUP
from eventlog.embedded import EmbeddedLog
from eventlog.errors import LogUnavailable, RecordTooLarge
from eventlog.event import RECORD_HEADERS
from eventlog.log import Record, Start
from eventlog.memory import MemoryLog, MemoryReader
from tests.support.flaky import FlakyLog
from tests.support.spooled import (
    EVENTS,
    OURS,
    a_spool,
    an_event,
    event_of,
    number_of,
    numbers,
    spooling,
    until_direct,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(3))
async def test_outages_lose_nothing_keep_the_order_of_each_key_and_flag_what_may_be_twice(
    spool: EmbeddedLog, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    primary = FlakyLog(MemoryLog(), random)
    async with spooling(primary, spool, tmp_path) as one, spooling(primary, spool, tmp_path) as other:
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
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    for record in stored:
        event = event_of(record)
        if event["number"] not in found[record.key]:
            found[record.key].append(event["number"])
        else:
            assert event["maybeduplicate"]
    assert sorted(number for key in found for number in found[key]) == list(range(3001))
    assert all(each == sorted(each) for each in found.values())
    flags = [(event.get("spooled"), event.get("maybeduplicate")) for event in map(event_of, stored)]
    assert {(None, None), (True, True)} <= set(flags)


async def test_what_waits_in_the_spool_survives_the_process(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka at b1:9092 can't be used")
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", 0), Record(EVENTS, b"key", None, 7.5, (("a", b"b"),))])
        await writer.look()
        state = writer.state()
        assert (state.status, state.spooled) == ("degraded", 2)
        assert "b1:9092" in state.detail
    assert EVENTS not in primary.topics
    primary.outage = None
    async with spooling(primary, spool, tmp_path) as writer:
        assert writer.state().status == "degraded"
        await append_durably(writer, [an_event(b"key", 1)])
        await until_direct(writer)
    first, tombstone, second = primary.topics[EVENTS][0].records
    assert orjson.loads(first.value or b"")["spooled"]
    assert first.headers == RECORD_HEADERS
    assert (tombstone.value, tombstone.timestamp, tombstone.headers) == (None, 7.5, (("a", b"b"),))
    assert orjson.loads(second.value or b"")["number"] == 1


async def test_nothing_is_settled_that_is_durable_nowhere(tmp_path: Path) -> None:
    primary, spool = MemoryLog(), MemoryLog()
    primary.outage, spool.outage = LogUnavailable("Kafka is away"), LogUnavailable("no space left")
    async with spooling(primary, spool, tmp_path) as writer:
        with pytest.raises(LogUnavailable, match="no space left"):
            await append_durably(writer, [an_event(b"key", 0)])
        assert writer.state().status == "down"
        assert "no space left" in writer.state().detail
        spool.outage = None
        await append_durably(writer, [an_event(b"key", 1)])
        assert writer.state().status == "degraded"


async def test_traffic_that_never_pauses_comes_back_too(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary, sent, going = MemoryLog(), list[int](), True

    async def send() -> None:
        while going:
            writer.append([an_event(b"key", len(sent))], lambda *_: None)
            sent.append(len(sent))
            await asyncio.sleep(0.001)

    async with spooling(primary, spool, tmp_path) as writer:
        primary.outage = LogUnavailable("Kafka is away")
        sending = asyncio.ensure_future(send())
        await asyncio.sleep(0.3)
        primary.outage = None
        await until_direct(writer)
        going = False
        await sending
    assert numbers(primary) == sent


@pytest.mark.parametrize("trouble", [LogUnavailable("no space left"), StartError("no space left"), RuntimeError("?")])
async def test_a_drain_that_cannot_begin_is_tried_again(tmp_path: Path, trouble: Exception) -> None:
    primary, spool = MemoryLog(), FullLog()
    primary.outage, spool.troubles = LogUnavailable("Kafka is away"), [trouble]
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", 0)])
        primary.outage = None
        await until_direct(writer)
    assert numbers(primary) == [0]


async def test_a_disk_that_takes_no_commit_holds_nobody_up(tmp_path: Path) -> None:
    primary, spool = MemoryLog(), FullLog()
    primary.outage = LogUnavailable("Kafka is away")
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", number) for number in range(10)])
        spool.full = True
        primary.outage = None
        await until_direct(writer)
        await append_durably(writer, [an_event(b"key", 10)])
        assert spool.groups[GROUP, OURS.spool.name].committed == {}
    assert numbers(primary) == list(range(11))


async def test_too_large_for_the_log_is_the_senders_to_cut_and_holds_nobody_up(
    spool: EmbeddedLog, tmp_path: Path
) -> None:
    primary = FlakyLog(MemoryLog(), Random(1))
    async with spooling(primary, spool, tmp_path) as writer:
        primary.limit = 250
        with pytest.raises(RecordTooLarge):
            await append_durably(writer, [an_event(b"key", 0, b"x" * 200), an_event(b"key", 1)])
        primary.failing = 1
        await append_durably(writer, [an_event(b"key", 2), an_event(b"key", 3, b"x" * 200), an_event(b"key", 4)])
        await until_direct(writer)
    scanner = await spool.open_scanner()
    kept = [record async for record in scanner.scan(OURS.oversize.name)]
    assert [number_of(record) for record in kept] == [3]
    assert set(numbers(primary.kept)) == {1, 2, 4}
    (told,) = primary.kept.topics[OURS.quarantine.name][0].records
    assert told.key == b"id-3"
    assert (event_of(told)["quarantinereasons"], event_of(told)["data"]) == ("event_too_large", {})


async def test_no_age_and_no_size_deletes_what_nobody_has_drained(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, segment_bytes=4096, retention_bytes=1, retention_hours=0.001)
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka is away")
    async with spooling(primary, spool, tmp_path) as writer:
        for number in range(100):
            await append_durably(writer, [an_event(b"key", number)])
        spool._keep_up()
        primary.outage = None
        await until_direct(writer)
    assert numbers(primary) == list(range(100))
    spool._keep_up()
    assert (await (await spool.open_scanner()).bounds(OURS.spool.name))[0][0] > 50, "it goes once it was drained"


class FullLog(MemoryLog):
    """Its disk takes no commits while it is `full`. `troubles`: what its next readers are refused with."""

    full = False
    troubles: Sequence[Exception] = ()

    async def open_reader(self, group: str, topic: str, start: Start) -> MemoryReader:
        if self.troubles:
            trouble, *self.troubles = self.troubles
            raise trouble
        return FullReader(self, group, topic, start)


class FullReader(MemoryReader):
    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        if isinstance(self._log, FullLog) and self._log.full:
            raise LogUnavailable("no space left")
        await super().commit(partition, offset, note)
