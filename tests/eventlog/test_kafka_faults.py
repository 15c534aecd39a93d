"""Kafka frozen, killed, away, and its topics deleted: what was settled as durable is there, all is settled once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from eventlog.appending import append_durably
from eventlog.errors import LogUnavailable, RecordTooLarge
from eventlog.kafka import KafkaLog
from eventlog.kafka.writer import KafkaWriter
from eventlog.log import Assigned, Record
from eventlog.topics import Topic
from tests.support.appends import Sender
from tests.support.kafka import Kafka, KafkaServer, a_place
from tests.support.kafka_log import a_log, a_topic, read_all, records, until

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]


async def test_what_is_settled_as_durable_survives_a_frozen_a_killed_and_a_stopped_broker(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    topic = a_topic()
    log = a_log(own_kafka.bootstrap, tmp_path, topic)
    async with a_writer(log) as writer:
        sender = Sender(writer, topic)
        for fault in (frozen, killed, stopped):
            told_before, sending = len(sender.durable), asyncio.ensure_future(sender.send(3000, pause=0.01))
            await asyncio.sleep(0.5)
            await fault(own_kafka, lambda: down(writer))
            await sending
            await sender.until_told()
            assert sender.refused
            assert len(sender.durable) > told_before
            await up(writer)
        await append_durably(writer, records(topic, [1_000_000]))
    assert set(sender.told.values()) == {1}
    found = await everything(log, topic)
    assert sender.durable <= set(found)
    assert b"1000000" in found


async def frozen(kafka: KafkaServer, seen: Callable[[], Awaitable[None]]) -> None:
    kafka.freeze()
    await seen()
    kafka.thaw()


async def killed(kafka: KafkaServer, seen: Callable[[], Awaitable[None]]) -> None:
    kafka.kill()
    await seen()
    await asyncio.to_thread(kafka.start)


async def stopped(kafka: KafkaServer, seen: Callable[[], Awaitable[None]]) -> None:
    await asyncio.to_thread(kafka.stop)
    await seen()
    await asyncio.to_thread(kafka.start)


async def test_a_short_freeze_costs_nothing(own_kafka: KafkaServer, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(own_kafka.bootstrap, tmp_path, topic, request_timeout=20.0)
    async with a_writer(log) as writer:
        sender = Sender(writer, topic)
        await sender.send(100)
        own_kafka.freeze()
        await sender.send(100, pause=0.1)
        own_kafka.thaw()
        await sender.until_told()
        assert sender.refused == []
    assert sorted(map(int, await everything(log, topic))) == list(range(200))


async def test_kafka_away_is_no_reason_not_to_start(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "kafka", a_place(1))
    topic = a_topic()
    log = a_log(server.bootstrap, tmp_path, topic)
    async with a_writer(log) as writer:
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
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    topic = a_topic()
    log = a_log(own_kafka.bootstrap, tmp_path, topic, request_timeout=30.0)
    tasks_before = asyncio.all_tasks()
    writer = await log.open_writer()
    reader = await log.open_reader("group", topic.name, "earliest")
    await until(reader, Assigned)
    sender = Sender(writer, topic)
    own_kafka.freeze()
    await sender.send(100)
    async with asyncio.timeout(20.0):
        await writer.close(0.5)
        await reader.close(0.5)
    await sender.until_told(0.1)
    assert {type(error) for error in sender.refused} == {LogUnavailable}
    assert len(sender.refused) == 100
    assert asyncio.all_tasks() == tasks_before
    own_kafka.thaw()


async def test_a_deleted_topic_is_made_again_and_read_from_its_start(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(kafka.bootstrap, tmp_path, topic, request_timeout=1.0)
    async with a_writer(log) as writer, an_admin(kafka) as admin:
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
    async with a_writer(a_log(kafka.bootstrap, tmp_path, topic)) as writer, an_admin(kafka) as admin:
        large = Record(topic.name, b"key", b"x" * 100_000, 1.0)
        await append_durably(writer, [large])
        lowered = ConfigResource(ConfigResourceType.TOPIC, topic.name, {"max.message.bytes": "50000"})
        await admin.alter_configs([lowered])
        with pytest.raises((LogUnavailable, RecordTooLarge)):
            await append_durably(writer, [*records(topic, range(10)), large])
        await up(writer)
        with pytest.raises(RecordTooLarge):
            await append_durably(writer, [large])
        assert len(await append_durably(writer, records(topic, range(1000)))) == 1000


async def until_durable(writer: KafkaWriter, topic: Topic, number: int) -> None:
    async with asyncio.timeout(40.0):
        while True:
            try:
                await append_durably(writer, records(topic, [number]))
            except LogUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def everything(log: KafkaLog, topic: Topic) -> list[bytes]:
    scanner = await log.open_scanner()
    return [record.value or b"" async for record in scanner.scan(topic.name)]


async def up(writer: KafkaWriter) -> None:
    await writer.connected(40.0)
    assert writer.state().status == "ok"


async def down(writer: KafkaWriter) -> None:
    async with asyncio.timeout(20.0):
        while writer.state().status != "down":
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_writer(log: KafkaLog) -> AsyncIterator[KafkaWriter]:
    writer = await log.open_writer()
    try:
        yield writer
    finally:
        await writer.close(5.0)


@asynccontextmanager
async def an_admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
