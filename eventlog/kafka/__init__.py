"""The log on Apache Kafka: topics are made, writers are disposable, readers share the work as consumer groups."""

from collections.abc import Iterable
from pathlib import Path

from base.clock import Clock
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.kafka.beginnings import Starts
from eventlog.kafka.connection import Connection
from eventlog.kafka.places import Subscription
from eventlog.kafka.reader import KafkaReader
from eventlog.kafka.scanner import KafkaScanner
from eventlog.kafka.writer import KafkaWriter
from eventlog.log import Start
from eventlog.settings import KafkaSettings
from eventlog.topics import Topic, topic_named

FIRST_TRY_SECONDS = 5.0


class KafkaLog:
    """`topics`: those that are written, made when they are missing. `data_dir` keeps what groups committed, once
    more (`groups-kafka.db`). SettingsError when the certificates of the settings can't be used."""

    def __init__(
        self,
        settings: KafkaSettings,
        data_dir: Path,
        topics: Iterable[Topic],
        *,
        clock: Clock,
        metrics: LogMetrics,
        logger: Logger,
    ) -> None:
        self._connection = Connection(settings)
        self._topics = {topic.name: topic for topic in topics}
        self._data_dir, self._clock, self._metrics, self._logger = data_dir, clock, metrics, logger

    async def open_writer(self) -> KafkaWriter:
        """Kafka may be away: the writer is down then, says so, and goes on trying."""
        writer = KafkaWriter(self._connection, self._topics.values(), self._metrics, self._logger)
        await writer.first_try(FIRST_TRY_SECONDS)
        return writer

    async def open_reader(self, group: str, topic: str, start: Start) -> KafkaReader:
        starts = Starts(self._data_dir / "groups-kafka.db")
        return KafkaReader(
            topic=self._topics.get(topic) or topic_named(topic),
            subscription=Subscription(group, topic, start, self._clock.now()),
            connection=self._connection,
            starts=starts,
            clock=self._clock,
            logger=self._logger,
        )

    async def open_scanner(self) -> KafkaScanner:
        return KafkaScanner(self._connection)
