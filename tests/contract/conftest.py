"""One suite, three logs, and one whose readers are looked after. A test asks for `log` and gets each in turn."""

from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.embedded import EmbeddedLog
from eventlog.kafka import KafkaLog
from eventlog.log import EventLog
from eventlog.memory import MemoryLog
from eventlog.settings import EmbeddedSettings, KafkaSettings
from eventlog.topics import Topic
from tests.support.kafka import Kafka
from tests.support.watched import WatchedLog


@pytest.fixture
def topics() -> tuple[Topic, Topic]:
    """Names of this test's own: all tests share one broker."""
    name = f"contract-{uuid4()}"
    return Topic(name), Topic(f"{name}.other")


@pytest.fixture(params=["memory", "watched", "embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def log(request: pytest.FixtureRequest, tmp_path: Path, topics: tuple[Topic, Topic]) -> EventLog:
    metrics, logger = log_metrics(CollectorRegistry()), quiet_logger()
    if request.param == "memory":
        return MemoryLog()
    if request.param == "watched":
        return WatchedLog(MemoryLog())
    if request.param == "embedded":
        settings = EmbeddedSettings()
        return EmbeddedLog(settings, tmp_path, topics, clock=SystemClock(), metrics=metrics, logger=logger)
    kafka: Kafka = request.getfixturevalue("kafka")
    kafka_settings = KafkaSettings(bootstrap=kafka.bootstrap)
    return KafkaLog(kafka_settings, tmp_path, topics, clock=SystemClock(), metrics=metrics, logger=logger)


@pytest.fixture
def topic(topics: tuple[Topic, Topic]) -> str:
    return topics[0].name


@pytest.fixture
def other(topics: tuple[Topic, Topic]) -> str:
    return topics[1].name
