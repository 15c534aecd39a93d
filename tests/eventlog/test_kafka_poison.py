"""aiokafka#1017, seen first in a plain producer, and then that our writer goes on with the same broker and topic."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from eventlog.appending import append_durably
from eventlog.errors import LogUnavailable, RecordTooLarge
from eventlog.log import Record
from eventlog.topics import Topic
from tests.support.kafka import Kafka
from tests.support.kafka_log import a_log, a_topic, an_admin, lower_limit, records, up
from tests.support.logs import scanned, writing

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]

LIMIT = 50_000  # bytes that the topic takes once it has been lowered
SENDS = 5


async def test_a_refused_batch_poisons_a_plain_producer_for_good_and_ours_for_a_moment(
    kafka: Kafka, tmp_path: Path
) -> None:
    """If the first half fails, aiokafka was mended: then the disposable producer may go (docs/decisions/0003-kafka.md)."""
    topic = a_topic(as_events=False)
    log, large = a_log(kafka.bootstrap, tmp_path, topic), Record(topic.name, b"key", b"x" * 100_000, 1.0)
    async with an_admin(kafka) as admin, writing(log) as ours, a_plain_producer(kafka) as plain:
        await append_durably(ours, records(topic, [0]))
        await plain.send_and_wait(topic.name, b"1")
        await lower_limit(admin, kafka.bootstrap, topic.name, LIMIT)

        with pytest.raises(MessageSizeTooLargeError):
            await plain.send_and_wait(topic.name, large.value)
        after = [await outcome_of(plain, topic) for _ in range(SENDS)]
        assert {type(outcome) for outcome in after} == {OutOfOrderSequenceNumber}, "it recovers by itself by now"

        with pytest.raises((RecordTooLarge, LogUnavailable)):
            await append_durably(ours, [large, *records(topic, range(2, 10))])
        await up(ours)
        assert len(await append_durably(ours, records(topic, range(10, 100)))) == 90
        with pytest.raises(RecordTooLarge):
            await append_durably(ours, [large])
        assert ours.state().status == "ok", "by now it knows, and asks nobody"
    stored = {int(record.value or b"") for record in await scanned(log, topic.name)}
    assert {0, 1, *range(10, 100)} <= stored


async def outcome_of(plain: AIOKafkaProducer, topic: Topic) -> object:
    try:
        return await asyncio.wait_for(plain.send_and_wait(topic.name, b"small"), 60.0)
    except KafkaError as error:
        return error


@asynccontextmanager
async def a_plain_producer(kafka: Kafka) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True, max_request_size=1_000_000
    )
    await producer.start()
    try:
        yield producer
    finally:
        await asyncio.wait_for(producer.stop(), 60.0)
