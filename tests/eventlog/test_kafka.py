"""What the contract suite can't say: partitions, the spool in front of Kafka, and what Kafka's own tools see."""

import asyncio
import io
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from base.clock import SystemClock, rfc3339
from base.logs import build_logger, quiet_logger
from base.settings import LoggingSettings
from eventlog.appending import append_durably
from eventlog.build import build_log
from eventlog.event import Event
from eventlog.kafka import KafkaLog
from eventlog.kafka.topics import MAX_MESSAGE_BYTES, new_topic
from eventlog.log import EventLog, Position
from eventlog.settings import KafkaSettings, LogSettings
from eventlog.topics import Topic, Topics, topic_named
from tests.support.kafka import Kafka, KafkaServer, a_place
from tests.support.kafka_log import a_log, a_topic, metrics, records, up
from tests.support.logs import PATIENCE, a_record, scanned, writing

pytestmark = pytest.mark.anyio
EVENT = Event(
    id="0192f0c4-0000-7000-8000-000000000001",
    type="ochn.web.visit",
    subject="visitor",
    time=rfc3339(0),
    receivedtime=rfc3339(0),
    tenant="t",
    appkeyname="demo",
    door="/jsapi/send",
    data={"actionType": "visit"},
)


@pytest.mark.kafka
async def test_kafkas_own_console_consumer_reads_an_event(kafka: Kafka, tmp_path: Path) -> None:
    topic = a_topic()
    async with writing(a_log(kafka.bootstrap, tmp_path, topic)) as writer:
        await append_durably(writer, [EVENT.to_record(topic.name, time.time() + 86_400)])  # our clock may be ahead
    wanted = ("print.key=true", "print.headers=true", "key.separator=|", "headers.separator=,")
    options = [part for one in wanted for part in ("--property", one)]
    printed = await asyncio.to_thread(kafka.console_consumer, topic.name, *options, count=1)
    headers, key, value = printed.strip().split("|")
    assert (headers, key) == ("content-type:application/cloudevents+json", "visitor")
    assert Event.from_bytes(value.encode()) == EVENT


@pytest.mark.kafka
async def test_events_and_facts_of_one_visitor_stand_in_equal_partitions(kafka: Kafka, tmp_path: Path) -> None:
    events, facts = a_topic(), Topic(f"{a_topic().name}.facts", "compact", as_events=True)
    async with writing(a_log(kafka.bootstrap, tmp_path, events, facts, partitions=5)) as writer:
        at = await append_durably(writer, records(events, range(50), keys=50))
        beside = await append_durably(writer, records(facts, range(50), keys=50))
    assert [position.partition for position in at] == [position.partition for position in beside]
    assert {position.partition for position in at} == set(range(5))


@pytest.mark.kafka
async def test_a_topic_that_this_process_was_not_told_of_is_looked_up(kafka: Kafka, tmp_path: Path) -> None:
    known, unknown = a_topic(), Topic(f"{a_topic().name}.events")
    async with writing(a_log(kafka.bootstrap, tmp_path, known, partitions=3)) as writer:
        outcomes: list[object] = []
        async with asyncio.timeout(PATIENCE):
            while not outcomes or not isinstance(outcomes[-1], Position):
                writer.append(records(unknown, [1]), lambda _, outcome: outcomes.append(outcome))
                await asyncio.sleep(0.1)
    scanner = await a_log(kafka.bootstrap, tmp_path).open_scanner()
    assert len(await scanner.bounds(unknown.name)) == 3


async def test_events_wait_in_the_spool_until_kafka_comes(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path / "kafka", a_place(1))
    log = spooled_log(server, tmp_path / "data")
    topic = Topics("t").events
    async with writing(log) as writer:
        assert writer.state().status == "degraded"
        assert server.bootstrap in writer.state().detail
        await append_durably(writer, records(topic, range(1000)))
    async with writing(log) as writer:  # another process, later
        await append_durably(writer, [EVENT.to_record(topic.name, 1.0)])
        await asyncio.to_thread(server.start)
        try:
            await up(writer)
            await append_durably(writer, records(topic, range(1000, 1100)))
            found = [record.value or b"" for record in await scanned(log, topic.name)]
        finally:
            await asyncio.to_thread(server.stop)
    events = [value for value in found if value.startswith(b"{")]
    assert sorted(int(value) for value in found if value not in events) == list(range(1100))
    assert [orjson.loads(event).get("spooled") for event in events] == [True]


def test_topics_are_made_as_safe_as_the_brokers_allow() -> None:
    settings = KafkaSettings(replication=3, partitions=6, retention_hours=1.0)
    alone, three = (new_topic(Topics().events, settings, brokers) for brokers in (1, 3))
    assert (alone.replication_factor, three.replication_factor) == (1, 3)
    assert "min.insync.replicas" not in alone.topic_configs
    assert three.topic_configs == {
        "cleanup.policy": "delete",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.after.max.ms": "9223372036854775807",
        "retention.ms": "3600000",
        "segment.ms": "3600000",
        "min.insync.replicas": "2",
    }
    facts = new_topic(Topics().facts("netcore"), settings, 1)
    assert (facts.num_partitions, facts.topic_configs["cleanup.policy"]) == (6, "compact")
    assert "retention.ms" not in facts.topic_configs
    assert facts.topic_configs["max.compaction.lag.ms"] == "86400000"
    assert new_topic(replace(Topics().receipts, hours=48), settings, 1).topic_configs["retention.ms"] == "172800000"


async def test_a_topic_that_is_kept_otherwise_than_the_settings_say_is_told_once(kafka: Kafka, tmp_path: Path) -> None:
    topic, said = Topic(f"kept-{uuid4()}.quarantine", "compact,delete"), io.StringIO()
    for number, hours in enumerate((2.0, 2.0, 3.0)):
        settings = KafkaSettings(bootstrap=kafka.bootstrap, retention_hours=hours)
        logger = build_logger(LoggingSettings(), "test", said)
        log = KafkaLog(settings, tmp_path, [topic], clock=SystemClock(), metrics=metrics(), logger=logger)
        async with writing(log) as writer:
            await append_durably(writer, [a_record(topic.name, number)])
    told = [orjson.loads(line) for line in said.getvalue().splitlines() if "kafka_topic_differs" in line]
    assert [(line["topic"], line["detail"]) for line in told] == [
        (topic.name, "retention.ms is 7200000, the settings say 10800000")
    ]


@pytest.mark.parametrize("topic", [*Topics("a.b").all(("netcore", "x.y")), Topic("a.b.other")])
def test_a_topic_is_known_by_its_name(topic: Topic) -> None:
    assert topic_named(topic.name) == topic


def spooled_log(server: KafkaServer, data_dir: Path) -> EventLog:
    settings = LogSettings(kind="kafka", topic_prefix="t", kafka=KafkaSettings(bootstrap=server.bootstrap))
    topics = Topics("t").all(())
    return build_log(settings, data_dir, topics, SystemClock(), metrics(), quiet_logger())
