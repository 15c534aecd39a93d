"""What every log promises (eventlog/log.py), held against the one in memory, the embedded one and a real Kafka."""

import asyncio
import threading

import pytest

from eventlog.appending import MAX_RECORD_BYTES, append_durably
from eventlog.errors import AppendError, Fenced, LogUnavailable, RecordTooLarge
from eventlog.log import NOTE_CHARACTERS, Assigned, Batch, EventLog, Position, Record, Start, StoredRecord
from tests.support.logs import (
    PATIENCE,
    TIME,
    a_record,
    assigned,
    fill,
    next_item,
    read,
    reading,
    scanned,
    values,
    writing,
)

pytestmark = pytest.mark.anyio


async def test_records_come_back_as_they_went_in(log: EventLog, topic: str) -> None:
    records = [
        Record(topic, b"key", b"value", TIME + 0.125, (("content-type", b"application/json"), ("x", b"\x00\xff"))),
        Record(topic, b"", b"", TIME),
        Record(topic, b"key", None, TIME + 1),
        Record(topic, b"\xff\x00", bytes(range(256)) * 4000, TIME, (("twice", b"1"), ("twice", b"2"))),
    ]
    async with writing(log) as writer:
        positions = await append_durably(writer, records)
    assert positions == [Position(topic, 0, offset) for offset in range(4)]
    found = await scanned(log, topic)
    assert [record.position for record in found] == positions
    assert [Record(topic, r.key, r.value, r.timestamp, r.headers) for r in found] == records


async def test_each_record_is_settled_once_later_and_on_the_loop(log: EventLog, topic: str, other: str) -> None:
    answers: list[tuple[Record, Position | AppendError]] = []
    threads = set()

    def settled(record: Record, result: Position | AppendError) -> None:
        threads.add(threading.get_ident())
        answers.append((record, result))

    records = [a_record(topic if number % 3 else other, number) for number in range(60)]
    async with writing(log) as writer:
        for first in range(0, 60, 20):
            writer.append(records[first : first + 20], settled)
        assert answers == []
    assert sorted(record.value or b"" for record, _ in answers) == sorted(record.value or b"" for record in records)
    assert threads == {threading.get_ident()}
    for name in (topic, other):
        offsets = {r.value: p.offset for r, p in answers if isinstance(p, Position) and p.topic == name}
        assert offsets == {record.value: record.position.offset for record in await scanned(log, name)}


async def test_a_caller_that_raises_stops_nobody_elses_answer(log: EventLog, topic: str) -> None:
    def settled(record: Record, result: Position | AppendError) -> None:
        raise RuntimeError("the client has gone")

    async with writing(log) as writer:
        writer.append([a_record(topic, 0), a_record(topic, 1)], settled)
        assert len(await append_durably(writer, [a_record(topic, 2)])) == 1
    assert values(await scanned(log, topic)) == [b"value 0", b"value 1", b"value 2"]


async def test_only_the_record_that_is_too_large_is_refused(log: EventLog, topic: str) -> None:
    answers: dict[bytes, Position | AppendError] = {}
    large = Record(topic, b"large", bytes(MAX_RECORD_BYTES + 1), TIME)
    async with writing(log) as writer:
        writer.append([a_record(topic, key=b"a"), large], lambda record, result: answers.update({record.key: result}))
        await append_durably(writer, [a_record(topic, key=b"b")])
        with pytest.raises(RecordTooLarge):
            await append_durably(writer, [large])
    assert isinstance(answers[b"a"], Position)
    assert isinstance(answers[b"large"], RecordTooLarge)
    assert [record.key for record in await scanned(log, topic)] == [b"a", b"b"]


async def test_an_event_of_the_largest_size_is_taken(log: EventLog, topic: str) -> None:
    async with writing(log) as writer:
        await append_durably(writer, [Record(topic, b"key", bytes(900 * 1024), TIME)])
    assert [len(record.value or b"") for record in await scanned(log, topic)] == [900 * 1024]


async def test_order_is_kept_among_many_callers(log: EventLog, topic: str) -> None:
    async with writing(log) as writer:
        waiting = []
        for number in range(300):
            waiting.append(asyncio.ensure_future(append_durably(writer, [a_record(topic, number)])))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert values(await scanned(log, topic)) == [b"value %d" % number for number in range(300)]


async def test_close_settles_what_is_in_flight_and_refuses_what_comes_later(log: EventLog, topic: str) -> None:
    answers: list[Position | AppendError] = []
    writer = await log.open_writer()
    assert writer.state().status == "ok"
    writer.append([a_record(topic, number) for number in range(10)], lambda _, result: answers.append(result))
    assert writer.state().in_flight == 10
    await writer.close(PATIENCE)
    assert answers == [Position(topic, 0, offset) for offset in range(10)]
    assert writer.state().in_flight == 0
    with pytest.raises(LogUnavailable):
        await asyncio.wait_for(append_durably(writer, [a_record(topic)]), PATIENCE)
    assert len(await scanned(log, topic)) == 10


async def test_a_reader_gets_its_place_then_everything_without_a_hole(log: EventLog, topic: str) -> None:
    records = await fill(log, topic, 25)
    async with reading(log, topic) as reader:
        assert await next_item(reader) == Assigned(topic, 0, None, 0)
        found: list[StoredRecord] = []
        expected = 0
        while expected < 25:
            batch = await next_item(reader, 10)
            assert isinstance(batch, Batch)
            assert 0 < len(batch.records) <= 10
            assert [r.position.offset for r in batch.records] == list(range(expected, batch.next_offset))
            found += batch.records
            expected = batch.next_offset
        assert values(found) == values(records)
        assert await reader.next(10, 0.1) is None


async def test_a_reader_sees_what_is_written_while_it_waits(log: EventLog, topic: str) -> None:
    async with reading(log, topic) as reader:
        await assigned(reader)
        waiting = asyncio.ensure_future(next_item(reader))
        await asyncio.sleep(0.05)
        await fill(log, topic, 1)
        batch = await waiting
        assert isinstance(batch, Batch)
        assert values(list(batch.records)) == [b"value 0"]


async def test_a_paused_reader_gets_no_batch_and_keeps_its_place(log: EventLog, topic: str) -> None:
    await fill(log, topic, 5)
    async with reading(log, topic) as reader:
        await assigned(reader)
        assert await reader.next(0, 0.3) is None
        assert len(await read(reader, 5)) == 5


async def test_a_next_that_was_cancelled_loses_nothing(log: EventLog, topic: str) -> None:
    found: list[StoredRecord] = []
    async with reading(log, topic) as reader:
        await assigned(reader)
        for number in range(20):
            waiting = asyncio.ensure_future(reader.next(500, PATIENCE))
            await asyncio.sleep(0.001 * (number % 5))
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled() and isinstance(batch := waiting.result(), Batch):
                found += batch.records
            if number % 4 == 0:
                await fill(log, topic, 1, first=number)
        found += await read(reader, 5 - len(found))
    assert values(found) == [b"value %d" % number for number in (0, 4, 8, 12, 16)]


async def test_a_group_goes_on_where_it_committed(log: EventLog, topic: str) -> None:
    await fill(log, topic, 10)
    scanner = await log.open_scanner()
    async with reading(log, topic) as reader:
        await read(reader, 10)
        assert (await scanner.committed("group", topic)).get(0, 0) == 0  # Kafka tells where the group began
        await reader.commit(0, 4)
    assert await scanner.committed("group", topic) == {0: 4}
    async with reading(log, topic, start="now") as reader:
        assert await assigned(reader) == Assigned(topic, 0, 4, 4)
        assert values(await read(reader, 6)) == [b"value %d" % number for number in range(4, 10)]


@pytest.mark.parametrize(
    ("start", "offset"),
    [("earliest", 0), ("now", 5), (TIME + 2, 2), (TIME + 60, 5)],
    ids=["earliest", "now", "a time", "a time to come"],
)
async def test_a_new_group_begins_where_it_is_told(log: EventLog, topic: str, start: Start, offset: int) -> None:
    await fill(log, topic, 5)
    async with reading(log, topic, start=start) as reader:
        assert await assigned(reader) == Assigned(topic, 0, None, offset)
        await fill(log, topic, 1, first=5)
        assert values(await read(reader, 6 - offset)) == [b"value %d" % number for number in range(offset, 6)]


async def test_a_group_that_never_committed_remembers_where_it_began(log: EventLog, topic: str) -> None:
    await fill(log, topic, 3)
    async with reading(log, topic, start="now") as reader:
        assert (await assigned(reader)).start == 3
    await fill(log, topic, 2, first=3)
    async with reading(log, topic, start="now") as reader:
        assert (await assigned(reader)).start == 3
        assert values(await read(reader, 2)) == [b"value 3", b"value 4"]


async def test_each_group_sees_everything(log: EventLog, topic: str) -> None:
    await fill(log, topic, 3)
    async with reading(log, topic, group="one") as one, reading(log, topic, group="two") as two:
        assert values(await read(one, 3)) == values(await read(two, 3))
        await one.commit(0, 3)
        scanner = await log.open_scanner()
        assert await scanner.committed("one", topic) == {0: 3}
        assert (await scanner.committed("two", topic)).get(0, 0) == 0


async def test_the_next_in_line_takes_over_and_the_former_is_fenced(log: EventLog, topic: str) -> None:
    await fill(log, topic, 4)
    async with reading(log, topic) as first, reading(log, topic) as second:
        await read(first, 4)
        await first.commit(0, 2)
        await first.close(PATIENCE)
        assert await assigned(second) == Assigned(topic, 0, 2, 2)
        with pytest.raises(Fenced):
            await first.commit(0, 4)
        assert values(await read(second, 2)) == [b"value 2", b"value 3"]


async def test_a_note_stands_beside_the_offset_until_the_next_commit(log: EventLog, topic: str) -> None:
    await fill(log, topic, 4)
    note = ("a:1:" * NOTE_CHARACTERS)[:NOTE_CHARACTERS]
    for offset, committed in ((2, note), (2, "other"), (3, "")):
        async with reading(log, topic) as reader:
            await read(reader, 4 - (await assigned(reader)).start)
            await reader.commit(0, offset, committed)
        async with reading(log, topic) as reader:
            assert await assigned(reader) == Assigned(topic, 0, offset, offset, committed)


async def test_a_commit_of_a_partition_that_is_not_ours_is_refused(log: EventLog, topic: str) -> None:
    async with reading(log, topic) as reader:
        await assigned(reader)
        with pytest.raises(Fenced):
            await reader.commit(7, 1)


async def test_a_scan_shows_what_was_asked_for(log: EventLog, topic: str, other: str) -> None:
    await fill(log, topic, 10)
    scanner = await log.open_scanner()
    assert await scanner.bounds(topic) == {0: (0, 10)}
    assert values(await scanned(log, topic, since=TIME + 7)) == [b"value 7", b"value 8", b"value 9"]
    assert values(await scanned(log, topic, ranges={0: (3, 5)})) == [b"value 3", b"value 4"]
    assert values(await scanned(log, topic, ranges={0: (8, 99)}, since=TIME + 9)) == [b"value 9"]
    assert await scanned(log, topic, ranges={}) == []
    assert await scanned(log, topic, since=TIME + 60) == []
    assert values(await scanned(log, topic, until=TIME + 2)) == [b"value 0", b"value 1"]
    assert values(await scanned(log, topic, since=TIME + 3, until=TIME + 5)) == [b"value 3", b"value 4"]
    assert await scanned(log, topic, until=TIME) == []
    assert values(await scanned(log, topic, containing=b"ue 7")) == [b"value 7"]
    assert values(await scanned(log, topic, containing=b"value", ranges={0: (2, 9)}, since=TIME + 7)) == [
        b"value 7",
        b"value 8",
    ]
    assert await scanned(log, topic, containing=b"value 10") == []


async def test_a_scan_ends_with_what_stood_there_when_it_began(log: EventLog, topic: str) -> None:
    await fill(log, topic, 3)
    scanner = await log.open_scanner()
    scan = scanner.scan(topic)
    found = [await anext(scan)]
    await fill(log, topic, 3, first=3)
    found += [record async for record in scan]
    assert values(found) == [b"value 0", b"value 1", b"value 2"]


async def test_a_topic_that_does_not_exist_is_empty(log: EventLog) -> None:
    scanner = await log.open_scanner()
    assert await scanner.bounds("contract-nowhere") == {}
    assert [record async for record in scanner.scan("contract-nowhere")] == []
    assert await scanner.committed("nobody", "contract-nowhere") == {}
