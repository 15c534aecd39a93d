"""A KafkaLog for one test: topics of its own, settings that make a test short."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError
from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import LogMetrics, log_metrics
from eventlog.kafka import KafkaLog
from eventlog.log import Assigned, Batch, Item, LogReader, LogWriter, Record, StoredRecord
from eventlog.settings import KafkaSettings
from eventlog.topics import Topic
from tests.support.kafka import Kafka
from tests.support.logs import PATIENCE


def a_log(bootstrap: str, data_dir: Path, *topics: Topic, **settings: object) -> KafkaLog:
    kafka = KafkaSettings.model_validate({"bootstrap": bootstrap, "request_timeout": 2.0, **settings})
    return KafkaLog(kafka, data_dir, topics, clock=SystemClock(), metrics=metrics(), logger=quiet_logger())


def metrics() -> LogMetrics:
    return log_metrics(CollectorRegistry())


def a_topic(*, as_events: bool = True) -> Topic:
    return Topic(f"test-{uuid4()}", as_events=as_events)


def records(topic: Topic, numbers: Sequence[int], keys: int = 20) -> list[Record]:
    """The value tells the number, so that what comes out can be told from what went in."""
    return [Record(topic.name, b"key-%d" % (number % keys), b"%d" % number, time.time()) for number in numbers]


async def up(writer: LogWriter, seconds: float = PATIENCE) -> None:
    """Returns once the writer says that all is well."""
    async with asyncio.timeout(seconds):
        while writer.state().status != "ok":
            await asyncio.sleep(0.01)


async def until(reader: LogReader, kind: type[Item], *, asks: int = 0, seconds: float = PATIENCE) -> Item:
    """The next item of a kind; what comes before it is passed over. `asks` for records too, also for other kinds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        item = await reader.next(500 if kind is Batch else asks, 0.5)
        if isinstance(item, kind):
            return item
    raise TimeoutError(f"no {kind.__name__} within {seconds:.0f} s")


async def read_all(reader: LogReader, count: int, seconds: float = PATIENCE) -> list[StoredRecord]:
    """`count` records, each batch committed; fewer when no more come."""
    found: list[StoredRecord] = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        item = await reader.next(500, 0.5)
        if isinstance(item, Batch):
            found += item.records
            await reader.commit(item.partition, item.next_offset)
    return found


async def lower_limit(admin: AIOKafkaAdminClient, bootstrap: str, topic: str, limit: int) -> None:
    """A topic takes records of `limit` bytes at most when it returns. The broker hears of it a moment after the
    controller, so a topic is made behind it, with the same limit, and asked until it refuses."""
    changed, behind = {"max.message.bytes": str(limit)}, f"test-{uuid4()}"
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])
    await admin.create_topics([NewTopic(behind, 1, 1, topic_configs=changed)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks=1, max_request_size=2 * limit + 1000)
    await producer.start()
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await producer.send_and_wait(behind, bytes(2 * limit))
                except MessageSizeTooLargeError:
                    return
    finally:
        await producer.stop()


def assigned(item: Item) -> Assigned:
    assert isinstance(item, Assigned)
    return item


@asynccontextmanager
async def an_admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
