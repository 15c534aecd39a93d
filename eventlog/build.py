"""The log that the settings name."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from base.clock import Clock
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.clean_end import CleanEnd
from eventlog.embedded import EmbeddedLog
from eventlog.log import EventLog
from eventlog.settings import LogSettings
from eventlog.spool import SpooledLog
from eventlog.spool_state import SpoolState
from eventlog.topics import Topic, Topics


def build_log(  # noqa: PLR0917 - a build function receives its parts
    settings: LogSettings,
    data_dir: Path,
    topics: Sequence[Topic],
    clock: Clock,
    metrics: LogMetrics,
    logger: Logger,
    *,
    crowded: Callable[[], bool] | None = None,
) -> EventLog:
    """`topics` are those this process may meet: each implementation keeps them as their `cleanup` says. `crowded`, of
    who has clients waiting: half of what may be in flight is. Without it nobody waits, and a late Kafka has time."""
    ours = Topics(settings.topic_prefix)
    hours = settings.retention.of(ours)
    topics = [replace(topic, hours=hours.get(topic.name)) for topic in topics]
    if settings.kind == "embedded":
        return EmbeddedLog(settings.embedded, data_dir, topics, clock=clock, metrics=metrics, logger=logger)
    from eventlog.kafka import KafkaLog  # noqa: PLC0415 - the embedded log needs no Kafka client

    kafka = KafkaLog(settings.kafka, data_dir, topics, clock=clock, metrics=metrics, logger=logger)
    return SpooledLog(
        kafka,
        build_spool(settings, data_dir, clock, metrics, logger),
        slow_seconds=settings.kafka.request_timeout if crowded is None else settings.kafka.spool_after,
        topics=ours,
        crowded=crowded or (lambda: False),
        shown=SpoolState(spool_dir(data_dir), clock),
        clean_end=CleanEnd(spool_dir(data_dir)),
        metrics=metrics,
        logger=logger,
    )


def build_spool(
    settings: LogSettings, data_dir: Path, clock: Clock, metrics: LogMetrics, logger: Logger
) -> EmbeddedLog:
    """What waits for Kafka, as a log of its own."""
    ours = Topics(settings.topic_prefix)
    kept, here = (ours.spool, ours.oversize), spool_dir(data_dir)
    return EmbeddedLog(settings.embedded, here, kept, clock=clock, metrics=metrics, logger=logger)


def spool_dir(data_dir: Path) -> Path:
    return data_dir / "spool"
