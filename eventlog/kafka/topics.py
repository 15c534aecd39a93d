"""Topics are made when they are missing, with what they need, and asked how they are."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from eventlog.appending import MAX_RECORD_BYTES
from eventlog.kafka.connection import Connection
from eventlog.kafka.ending import end_admin
from eventlog.kafka.starting import start_admin
from eventlog.settings import KafkaSettings
from eventlog.topics import Topic

MAX_MESSAGE_BYTES = MAX_RECORD_BYTES + 64 * 1024  # the largest record, in a batch of its own
REQUEST_SECONDS = 10.0
ALL_SECONDS = 30.0
DAY_MS = 86_400_000
_LIMIT = "max.message.bytes"
_KEPT = ("retention.ms", "max.compaction.lag.ms")


@dataclass(frozen=True, slots=True)
class Shape:
    """`limit`: bytes of the largest batch of records that the brokers take for this topic. `differs`: what the topic
    keeps otherwise than our settings say; it was made by others, or under other settings."""

    partitions: int
    limit: int
    differs: tuple[str, ...] = ()


def new_topic(topic: Topic, settings: KafkaSettings, brokers: int) -> NewTopic:
    """One copy survives a crash of the broker's process; three of which two must have it, a power loss. A clock that
    is an hour ahead must not make the brokers refuse everything: any timestamp is taken (Kafka 3.6 and later). What has
    expired, or is erased, leaves the disk within another day."""
    replicas = min(settings.replication, brokers)
    config = {
        "cleanup.policy": topic.cleanup,
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.after.max.ms": str(2**63 - 1),
        **kept(topic, settings),
    }
    if replicas >= 3:
        config["min.insync.replicas"] = "2"
    partitions = settings.partitions if topic.as_events else 1
    return NewTopic(topic.name, partitions, replicas, topic_configs=config)


def kept(topic: Topic, settings: KafkaSettings) -> dict[str, str]:
    """What says how long its records stay."""
    config = {}
    retention = int((topic.hours or settings.retention_hours) * 3_600_000)
    if "delete" in topic.cleanup:
        config = {"retention.ms": str(retention), "segment.ms": str(min(retention, DAY_MS))}
    return config if "compact" not in topic.cleanup else {**config, "max.compaction.lag.ms": str(DAY_MS)}


async def ensure_topics(connection: Connection, topics: Iterable[Topic]) -> dict[str, Shape]:
    """Makes those that are missing; the shape of each, by name. LogUnavailable when Kafka can't be asked."""
    wanted = {topic.name: topic for topic in topics}
    admin = AIOKafkaAdminClient(**connection.client(REQUEST_SECONDS))
    try:
        async with asyncio.timeout(ALL_SECONDS):
            await start_admin(admin)
            found = await _partitions(admin)
            if missing := wanted.keys() - found.keys():
                await _create(admin, [wanted[name] for name in missing], connection.settings)
                found = await _until_seen(admin, wanted)
            configs = await _configs(admin, list(wanted))
    except (KafkaError, OSError, TimeoutError) as error:
        raise connection.away(error) from error
    finally:
        await end_admin(admin)
    return {
        name: Shape(found[name], _limit(configs[name]), _differs(topic, configs[name], connection.settings))
        for name, topic in wanted.items()
    }


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """Asks for all: to ask for one by name would make it, with the brokers' defaults, where they allow that."""
    described = await admin.describe_topics()
    return {one["topic"]: len(one["partitions"]) for one in described if not one["error_code"] and one["partitions"]}


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], settings: KafkaSettings) -> None:
    brokers = len((await admin.describe_cluster())["brokers"])
    answer = await admin.create_topics([new_topic(topic, settings, brokers) for topic in missing])
    for name, code, *_ in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:  # another process was faster
            raise for_code(code)(f"topic {name} can't be created")


async def _until_seen(admin: AIOKafkaAdminClient, wanted: Iterable[str]) -> dict[str, int]:
    """A topic is made by the controller; the other brokers hear of it a moment later."""
    while not (found := await _partitions(admin)).keys() >= set(wanted):  # noqa: ASYNC110 - it happens elsewhere
        await asyncio.sleep(0.05)
    return found


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Empty where one may not look: who may write need not be allowed to. Then the first refusal tells."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys((_LIMIT, *_KEPT), "")) for name in names]
    answers: list[Any] = await admin.describe_configs(asked)
    configs: dict[str, dict[str, str]] = {name: {} for name in names}
    for code, _message, _kind, name, entries in (one for answer in answers for one in answer.resources):
        if not code:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _limit(config: Mapping[str, str]) -> int:
    return int(config.get(_LIMIT, MAX_MESSAGE_BYTES))


def _differs(topic: Topic, config: Mapping[str, str], settings: KafkaSettings) -> tuple[str, ...]:
    """It is told, and not altered: whoever runs the brokers may have meant it (docs/decisions/0011-erase.md)."""
    wanted = {name: value for name, value in kept(topic, settings).items() if name in _KEPT}
    return tuple(
        f"{name} is {config[name]}, the settings say {value}"
        for name, value in wanted.items()
        if config.get(name, value) != value
    )
