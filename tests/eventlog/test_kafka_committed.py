"""What a group has committed, of a broker that comes up: its coordinator reads that first."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from eventlog.errors import LogUnavailable
from tests.support.kafka import KafkaServer
from tests.support.kafka_log import a_log, a_topic
from tests.support.logs import PATIENCE, fill

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]

COMMITS, AT_ONCE = 400, 50
LARGEST = "x" * 4000  # a note beside an offset, as large as a broker takes it


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that reads back what was committed one commit at a time."""
    with KafkaServer(tmp_path_factory.mktemp("slow") / "kafka", more="offsets.load.buffer.size=1\n") as server:
        yield server


async def test_a_broker_that_comes_up_says_what_is_committed_or_nothing(slow: KafkaServer, tmp_path: Path) -> None:
    topic = a_topic()
    log = a_log(slow.bootstrap, tmp_path, topic)
    scanner = await log.open_scanner()
    assert await scanner.committed("group", topic.name) == {}, "nobody has committed to this Kafka"
    await fill(log, topic.name, 10)
    await commit(slow, TopicPartition(topic.name, 0), 5)
    assert await scanner.committed("group", topic.name) == {0: 5}
    slow.stop()
    slow.launch()
    async with asyncio.timeout(PATIENCE):
        answer = None
        while answer is None:
            with contextlib.suppress(LogUnavailable):
                answer = await scanner.committed("group", topic.name)
    assert answer == {0: 5}
    assert await scanner.committed("another group", topic.name) == {}


async def commit(kafka: KafkaServer, one: TopicPartition, offset: int) -> None:
    """Many times."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id="group", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([one])
    for _ in range(COMMITS // AT_ONCE):
        await asyncio.gather(*(consumer.commit({one: (offset, LARGEST)}) for _ in range(AT_ONCE)))
    await consumer.stop()
