"""Kafka frozen, killed, away, and its topics deleted: what was settled as durable is there, all is settled once."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventlog.appending import append_durably
from eventlog.errors import Fenced, LogUnavailable, RecordTooLarge
from eventlog.log import Assigned, Batch, LogReader, LogWriter, Record
from eventlog.topics import Topic
from tests.support.appends import Sender
from tests.support.kafka import Kafka, KafkaServer, a_place
from tests.support.kafka_log import a_log, a_topic, an_admin, lower_limit, read_all, records, until, up
from tests.support.logs import PATIENCE, reading, scanned, values, writing

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]


@pytest.fixture(scope="module")
def shaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that these tests may break, and leave whole for the next."""
    with KafkaServer(tmp_path_factory.mktemp("shaken") / "kafka") as server:
        yield server


async def test_writer_and_reader_survive_a_frozen_and_a_killed_broker(shaken: KafkaServer, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(shaken.bootstrap, tmp_path, topic)
    async with writing(log) as writer, reading(log, topic.name) as reader:
        sender, found = Sender(writer, topic), set[bytes | None]()
        collecting = asyncio.ensure_future(collect(reader, found))
        for fault in (frozen, killed):
            durable_before, sending = len(sender.durable), asyncio.ensure_future(sender.send(3000, pause=0.01))
            await asyncio.sleep(0.5)
            await fault(shaken, writer)
            await sending
            await sender.until_told()
            assert sender.refused
            assert len(sender.durable) > durable_before
            await up(writer)
        await append_durably(writer, records(topic, [1_000_000]))
        async with asyncio.timeout(PATIENCE):
            while not sender.durable | {b"1000000"} <= found:
                await asyncio.sleep(0.1)
        collecting.cancel()
    assert set(sender.told.values()) == {1}
    stored = await scanned(log, topic.name)
    assert sender.durable <= {record.value for record in stored}


async def collect(reader: LogReader, found: set[bytes | None]) -> None:
    while True:
        item = await reader.next(500, 1.0)
        if isinstance(item, Batch):
            found |= {record.value for record in item.records}
            with contextlib.suppress(Fenced):
                await reader.commit(item.partition, item.next_offset)


async def frozen(kafka: KafkaServer, writer: LogWriter) -> None:
    kafka.freeze()
    await down(writer)
    kafka.thaw()


async def killed(kafka: KafkaServer, writer: LogWriter) -> None:
    kafka.kill()
    await down(writer)
    await asyncio.to_thread(kafka.start)


async def test_a_short_freeze_costs_nothing(shaken: KafkaServer, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(shaken.bootstrap, tmp_path, topic, request_timeout=20.0)
    async with writing(log) as writer:
        sender = Sender(writer, topic)
        await sender.send(100)
        shaken.freeze()
        await sender.send(100, pause=0.1)
        shaken.thaw()
        await sender.until_told()
        assert sender.refused == []
    assert sorted(int(value or b"") for value in values(await scanned(log, topic.name))) == list(range(200))


async def test_kafka_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "kafka", a_place(1))
    topic = a_topic()
    log = a_log(server.bootstrap, tmp_path, topic)
    async with writing(log) as writer:
        state = writer.state()
        assert state.status == "down"
        assert server.bootstrap in state.detail
        reader = await log.open_reader("group", topic.name, "earliest")
        with pytest.raises(LogUnavailable, match=server.bootstrap):
            await asyncio.wait_for(append_durably(writer, records(topic, [1])), 1.0)
        assert await reader.next(10, 0.1) is None
        with pytest.raises(LogUnavailable, match=server.bootstrap):
            await (await log.open_scanner()).bounds(topic.name)
        await asyncio.to_thread(server.start)
        try:
            await up(writer)
            await append_durably(writer, records(topic, [2]))
            assert [record.value for record in await read_all(reader, 1)] == [b"2"]
        finally:
            await reader.close(5.0)
            await asyncio.to_thread(server.stop)


async def test_closing_while_the_broker_is_frozen_is_bounded_and_leaves_nothing(
    shaken: KafkaServer, tmp_path: Path
) -> None:
    topic = a_topic()
    log = a_log(shaken.bootstrap, tmp_path, topic, request_timeout=30.0)
    tasks_before = asyncio.all_tasks()
    writer = await log.open_writer()
    reader = await log.open_reader("group", topic.name, "earliest")
    await until(reader, Assigned)
    sender = Sender(writer, topic)
    shaken.freeze()
    await sender.send(100)
    async with asyncio.timeout(PATIENCE):
        await writer.close(0.5)
        await reader.close(0.5)
    await sender.until_told(0.1)
    assert {type(error) for error in sender.refused} == {LogUnavailable}
    assert len(sender.refused) == 100
    assert asyncio.all_tasks() == tasks_before
    shaken.thaw()


async def test_a_deleted_topic_is_made_again_and_read_from_its_start(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(kafka.bootstrap, tmp_path, topic, request_timeout=1.0)
    async with writing(log) as writer, an_admin(kafka) as admin:
        reader = await log.open_reader(topic.name, topic.name, "now")
        await until(reader, Assigned)
        await append_durably(writer, records(topic, range(100)))
        assert len(await read_all(reader, 100)) == 100
        await admin.delete_topics([topic.name])
        await until_durable(writer, topic, 100)
        await append_durably(writer, records(topic, range(101, 300)))
        found = {record.value for record in await read_all(reader, 200)}
        await reader.close(5.0)
    assert found == {b"%d" % number for number in range(100, 300)}


async def test_only_the_record_that_is_too_large_is_refused_when_the_limit_is_lowered(
    kafka: Kafka, tmp_path: Path
) -> None:
    topic = a_topic(as_events=False)
    async with writing(a_log(kafka.bootstrap, tmp_path, topic)) as writer, an_admin(kafka) as admin:
        large = Record(topic.name, b"key", b"x" * 100_000, 1.0)
        await append_durably(writer, [large])
        await lower_limit(admin, kafka.bootstrap, topic.name, 50_000)
        with pytest.raises((LogUnavailable, RecordTooLarge)):
            await append_durably(writer, [*records(topic, range(10)), large])
        await up(writer)
        with pytest.raises(RecordTooLarge):
            await append_durably(writer, [large])
        assert len(await append_durably(writer, records(topic, range(1000)))) == 1000


async def until_durable(writer: LogWriter, topic: Topic, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await append_durably(writer, records(topic, [number]))
            except LogUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def down(writer: LogWriter) -> None:
    async with asyncio.timeout(PATIENCE):
        while writer.state().status != "down":
            await asyncio.sleep(0.01)
