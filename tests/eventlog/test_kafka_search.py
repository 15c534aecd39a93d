"""A search finds what a reading would: in batches of any size, packed or not, from any offset on."""

import random
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from eventlog.appending import append_durably
from eventlog.kafka.search import FETCH_BYTES
from eventlog.log import Record
from eventlog.topics import Topic
from tests.support.kafka import Kafka
from tests.support.kafka_log import a_log, a_topic
from tests.support.logs import scanned, writing

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]

NEEDLE = b'"needle"'
LARGE = 400_000  # bytes: some thirty of them are more than one answer holds


def values(seed: int, count: int, size: int) -> list[bytes]:
    """One in ten has the needle; the first and the last have."""
    dice, filling = random.Random(seed), b"." * size
    return [
        filling + NEEDLE + b"%d" % n if n in (0, count - 1) or dice.random() < 0.1 else filling for n in range(count)
    ]


async def pack(kafka: Kafka, topic: Topic, partition: int, codec: str, chosen: list[bytes]) -> None:
    """As another's producer may, or the topic's own setting does."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec, linger_ms=20)
    async with producer:
        sent = [await producer.send(topic.name, value, key=b"k", partition=partition) for value in chosen]
        for each in sent:
            await each


async def test_a_search_finds_what_a_reading_finds(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(kafka.bootstrap, tmp_path, topic, partitions=2)
    async with writing(log) as writer:
        small = [Record(topic.name, b"k%d" % (n % 7), value, 1e9 + n) for n, value in enumerate(values(1, 3000, 50))]
        await append_durably(writer, small)
        await append_durably(writer, [Record(topic.name, b"large", value, 2e9) for value in values(2, 60, LARGE)])
    await pack(kafka, topic, 0, "gzip", values(3, 200, 300))
    async with writing(log) as writer:
        await append_durably(writer, [Record(topic.name, b"k%d" % (n % 7), NEEDLE, 3e9) for n in range(20)])
    read = [record for record in await scanned(log, topic.name) if NEEDLE in (record.value or b"")]
    assert len(read) > 300
    assert 60 * LARGE > 2 * FETCH_BYTES
    assert await scanned(log, topic.name, containing=NEEDLE) == read
    for first, end in ((1, 2), (17, 400), (read[50].position.offset, read[50].position.offset + 1)):
        within = [record for record in read if record.position.partition == 0 and first <= record.position.offset < end]
        assert await scanned(log, topic.name, ranges={0: (first, end)}, containing=NEEDLE) == within
    assert await scanned(log, topic.name, containing=b'"no needle"') == []


async def test_what_others_have_packed_is_looked_into(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(kafka.bootstrap, tmp_path, topic)
    async with writing(log) as writer:
        await append_durably(writer, [Record(topic.name, b"k", b"none here", 1e9)])
    await pack(kafka, topic, 0, "gzip", [b"packed " * 100 + NEEDLE, b"packed " * 100])
    assert len(await scanned(log, topic.name, containing=NEEDLE)) == 1
