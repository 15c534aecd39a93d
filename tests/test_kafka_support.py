"""The broker the other tests lean on: it serves, it is Kafka's own, and it can be broken."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Kafka, KafkaServer

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]


async def test_a_record_goes_in_and_comes_out(kafka: Kafka) -> None:
    topic = await a_topic(kafka)
    await produce(kafka, topic, b"one")
    assert await consume(kafka, topic, 1) == [b"one"]


async def test_kafkas_own_console_consumer_reads_it(kafka: Kafka) -> None:
    topic = await a_topic(kafka)
    await produce(kafka, topic, b"seen by kafka")
    assert await asyncio.to_thread(kafka.console_consumer, topic, count=1) == "seen by kafka\n"


async def test_the_console_consumer_fails_when_a_record_is_missing(kafka: Kafka) -> None:
    topic = await a_topic(kafka)
    await produce(kafka, topic, b"only one")
    with pytest.raises(TimeoutError, match="Processed a total of 1 messages"):
        await asyncio.to_thread(kafka.console_consumer, topic, count=2, timeout=3)


async def test_what_was_acknowledged_survives_kill_minus_nine(own_kafka: KafkaServer) -> None:
    topic = await a_topic(own_kafka)
    await produce(own_kafka, topic, b"before")
    own_kafka.kill()
    assert not own_kafka.running
    await asyncio.to_thread(own_kafka.start)
    assert await consume(own_kafka, topic, 1) == [b"before"]


async def test_a_frozen_broker_answers_nobody_until_it_is_thawed(own_kafka: KafkaServer) -> None:
    topic = await a_topic(own_kafka)
    own_kafka.freeze()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(produce(own_kafka, topic, b"late"), 2)
    own_kafka.thaw()
    await produce(own_kafka, topic, b"now")
    assert b"now" in await consume(own_kafka, topic, 1)


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    server.kill()
    (server.directory / "server.properties").write_text("process.roles=nonsense\n")
    with pytest.raises(RuntimeError, match="nonsense"):
        server.start()


async def a_topic(kafka: Kafka) -> str:
    name = f"test-{uuid4()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    return name


async def produce(kafka: Kafka, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    try:
        await producer.start()
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(kafka: Kafka, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    try:
        await consumer.start()
        return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(count)]
    finally:
        await consumer.stop()
