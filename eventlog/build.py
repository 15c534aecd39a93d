"""The log that the settings name."""

from collections.abc import Sequence
from pathlib import Path

from base.clock import Clock
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.embedded import EmbeddedLog
from eventlog.log import EventLog
from eventlog.settings import LogSettings
from eventlog.topics import Topic


def build_log(  # noqa: PLR0917 - a build function receives its parts
    settings: LogSettings, data_dir: Path, topics: Sequence[Topic], clock: Clock, metrics: LogMetrics, logger: Logger
) -> EventLog:
    """`topics` are those this process may meet: each implementation keeps them as their `cleanup` says."""
    if settings.kind == "kafka":
        from eventlog.kafka import KafkaLog  # noqa: PLC0415 - the embedded log needs no Kafka client

        return KafkaLog(settings.kafka, data_dir, topics, clock=clock, metrics=metrics, logger=logger)
    return EmbeddedLog(settings.embedded, data_dir, topics, clock=clock, metrics=metrics, logger=logger)
