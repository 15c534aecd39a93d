"""Consumer groups on a real Kafka: rebalances, zombies, gaps, and what counts as a first start."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from eventlog.appending import append_durably
from eventlog.errors import Fenced
from eventlog.kafka import KafkaLog
from eventlog.kafka.beginnings import Beginning, Remembered, Starts, begin
from eventlog.kafka.member import SESSION_SECONDS
from eventlog.log import NOTE_CHARACTERS, Assigned, Batch, Gap, LogReader, Revoked
from eventlog.topics import Topic
from tests.support.kafka import Kafka
from tests.support.kafka_log import a_log, a_topic, assigned, read_all, records, until
from tests.support.logs import writing

pytestmark = pytest.mark.anyio
needs_kafka = pytest.mark.kafka
AN_HOUR = 3601.0


@pytest.mark.parametrize(
    ("committed", "remembered", "expected"),
    [
        (None, None, Beginning(None, 70)),
        (50, None, Beginning(50, 50)),
        (50, Remembered(60, 0.0), Beginning(50, 50)),  # an operator moved the group back
        (5, None, Beginning(5, 10, (5, 10))),
        (None, Remembered(60, -AN_HOUR), Beginning(60, 60)),  # Kafka has forgotten an idle group
        (None, Remembered(5, -AN_HOUR), Beginning(5, 10, (5, 10))),
        (None, Remembered(60, -1.0), Beginning(10, 10)),  # topic or group were made anew
    ],
)
def test_where_a_group_begins(committed: int | None, remembered: Remembered | None, expected: Beginning) -> None:
    assert begin(committed, remembered, first_start=70, earliest=10, now=0.0) == expected


def test_what_was_committed_is_remembered_across_processes(tmp_path: Path) -> None:
    one, other = Starts(tmp_path / "starts.db"), Starts(tmp_path / "starts.db")
    one.remember("group", "topic", 3, Remembered(7, 1.5))
    one.remember("group", "topic", 3, Remembered(8, 2.5))
    one.remember("other", "topic", 3, Remembered(9, 2.5))
    assert other.recall("group", "topic") == {3: Remembered(8, 2.5)}
    one.close()
    other.close()


@needs_kafka
async def test_a_rebalance_loses_nothing_and_takes_what_was_not_committed_from_its_owner(
    kafka: Kafka, tmp_path: Path
) -> None:
    topic = a_topic()
    log = a_log(kafka.bootstrap, tmp_path, topic)
    found: list[bytes] = []
    fenced: list[Fenced] = []

    async def work(reader: LogReader, until_found: int) -> None:
        while len(set(found)) < until_found:
            item = await reader.next(50, 0.1)
            if isinstance(item, Batch):
                await asyncio.sleep(0.02)
                found.extend(record.value or b"" for record in item.records)
                try:
                    await reader.commit(item.partition, item.next_offset)
                except Fenced as error:
                    fenced.append(error)

    async with writing(log) as writer, a_reader(log, topic) as one:
        await append_durably(writer, records(topic, range(2000)))
        first = asyncio.ensure_future(work(one, 6000))
        async with a_reader(log, topic) as two:
            second = asyncio.ensure_future(work(two, 4000))
            await append_durably(writer, records(topic, range(2000, 4000)))
            await asyncio.wait_for(second, 60.0)
        await append_durably(writer, records(topic, range(4000, 6000)))
        await asyncio.wait_for(first, 60.0)
    assert set(found) == {b"%d" % number for number in range(6000)}
    assert len(found) - 6000 <= 50 * len(fenced)  # a batch is seen twice only where its commit was refused


@needs_kafka
async def test_a_note_that_the_broker_does_not_take_costs_no_commit(kafka: Kafka, tmp_path: Path) -> None:
    """Its `offset.metadata.max.bytes` may be less than the usual; to go beyond that is the same to it."""
    topic = a_topic(as_events=False)
    log = a_log(kafka.bootstrap, tmp_path, topic)
    async with writing(log) as writer, a_reader(log, topic) as one:
        await append_durably(writer, records(topic, range(10)))
        batch = await until(one, Batch)
        await one.commit(batch.partition, 3, "x" * 2 * NOTE_CHARACTERS)
        await one.close(5.0)
    async with a_reader(log, topic) as two:
        place = assigned(await until(two, Assigned))
        assert (place.committed, place.note) == (3, "")


@needs_kafka
async def test_an_owner_that_does_not_commit_is_fenced_after_the_grace(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic(as_events=False)
    log = a_log(kafka.bootstrap, tmp_path, topic)
    async with writing(log) as writer, a_reader(log, topic) as one:
        await append_durably(writer, records(topic, range(10)))
        batch = await until(one, Batch)
        assert isinstance(batch, Batch)
        async with a_reader(log, topic) as two:
            assert isinstance(await until(one, Revoked), Revoked)
            with pytest.raises(Fenced):
                await one.commit(batch.partition, batch.next_offset)
            await one.close(5.0)
            place = assigned(await until(two, Assigned))
            assert place.start == batch.records[0].position.offset


@needs_kafka
async def test_a_zombie_cannot_commit(kafka: Kafka, tmp_path: Path) -> None:
    """A process that was frozen for longer than its session commits the moment it wakes."""
    topic = a_topic(as_events=False)
    log = a_log(kafka.bootstrap, tmp_path / "living", topic)
    held, frozen = threading.Event(), threading.Event()
    outcome: list[object] = []

    async def zombie() -> None:
        async with a_reader(a_log(kafka.bootstrap, tmp_path / "zombie", topic), topic) as reader:
            batch = await until(reader, Batch)
            assert isinstance(batch, Batch)
            held.set()
            await asyncio.to_thread(frozen.wait)
            time.sleep(SESSION_SECONDS + 2.0)  # the loop stands still: no heartbeat goes out
            try:
                await reader.commit(batch.partition, 7)
            except Fenced as error:
                outcome.append(error)

    async with writing(log) as writer:
        await append_durably(writer, records(topic, range(10)))
        thread = in_a_thread(zombie())
        assert await asyncio.to_thread(held.wait, 30.0)
        frozen.set()
        async with a_reader(log, topic) as living:
            assert len(await read_all(living, 10, 60.0)) == 10
            await asyncio.to_thread(thread.join, 30.0)
            assert [type(one) for one in outcome] == [Fenced]
            scanner = await log.open_scanner()
            assert await scanner.committed(topic.name, topic.name) == {0: 10}


@needs_kafka
async def test_what_expired_unread_is_a_gap_counted_exactly(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic(as_events=False)
    log = a_log(kafka.bootstrap, tmp_path, topic)
    async with writing(log) as writer:
        await append_durably(writer, records(topic, range(100)))
        async with a_reader(log, topic) as reader:
            await until(reader, Assigned)
            await reader.commit(0, 20)
        await expire(kafka, topic, 50)
        async with a_reader(log, topic) as reader:
            assert assigned(await until(reader, Assigned)).committed == 20
            assert await until(reader, Gap) == Gap(topic.name, 0, 20, 50, "expired")
            assert await reader.next(0, 0.1) is None
            await expire(kafka, topic, 80)
            assert await until(reader, Gap, asks=10) == Gap(topic.name, 0, 50, 80, "expired")
            assert [record.value for record in await read_all(reader, 20)] == [b"%d" % n for n in range(80, 100)]


@needs_kafka
async def test_an_offset_that_kafka_forgot_is_no_first_start(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic(as_events=False)
    log = a_log(kafka.bootstrap, tmp_path, topic)
    starts = Starts(tmp_path / "groups-kafka.db")
    starts.remember(topic.name, topic.name, 0, Remembered(4, time.time() - AN_HOUR))
    starts.close()
    async with writing(log) as writer:
        await append_durably(writer, records(topic, range(10)))
        async with a_reader(log, topic, "now") as reader:
            assert await until(reader, Assigned) == Assigned(topic.name, 0, 4, 4)


def in_a_thread(work: Coroutine[object, object, None]) -> threading.Thread:
    thread = threading.Thread(target=asyncio.run, args=(work,))
    thread.start()
    return thread


async def expire(kafka: Kafka, topic: Topic, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic.name, 0): RecordsToDelete(before)})
    finally:
        await admin.close()


@asynccontextmanager
async def a_reader(log: KafkaLog, topic: Topic, start: str = "earliest") -> AsyncIterator[LogReader]:
    reader = await log.open_reader(topic.name, topic.name, start)  # type: ignore[arg-type]
    try:
        yield reader
    finally:
        await reader.close(5.0)
