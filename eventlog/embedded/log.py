"""The embedded log: files that any process of this machine appends to and reads, without a server between them."""

import asyncio
import errno
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from base.clock import Clock
from base.errors import OchnError, StartError
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.embedded import manifest
from eventlog.embedded.appenders import Appenders
from eventlog.embedded.groups import Groups, read_by_all
from eventlog.embedded.reader import LEASE_SECONDS, EmbeddedReader
from eventlog.embedded.scanner import EmbeddedScanner, KeptOpen
from eventlog.embedded.topic import TopicFiles
from eventlog.embedded.upkeep import keep_up, scrub
from eventlog.embedded.writer import EmbeddedWriter
from eventlog.log import Start
from eventlog.settings import EmbeddedSettings
from eventlog.topics import Topic

_FOR_EVER: Final = {"retention_bytes": sys.maxsize, "retention_hours": math.inf}


class EmbeddedLog:
    """It lives in `log/` of the data directory. `topics` says how each keeps its records; one that stands not there
    grows for ever. A reader that asks for nothing during `lease_seconds` loses its place to the next in line."""

    def __init__(
        self,
        settings: EmbeddedSettings,
        data_dir: Path,
        topics: Sequence[Topic],
        *,
        clock: Clock,
        metrics: LogMetrics,
        logger: Logger,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._settings = settings
        self._directory = data_dir / "log"
        self._topics = topics
        self._clock, self._metrics, self._logger = clock, metrics, logger
        self._began = clock.now() - clock.monotonic()
        self._lease_seconds = lease_seconds
        self._kept_open = KeptOpen()

    async def open_writer(self) -> EmbeddedWriter:
        """StartError when the directory can't be written, or holds data of another version."""
        await asyncio.to_thread(self._check)
        appenders = Appenders(self._directory, self._settings, self._clock)
        return EmbeddedWriter(appenders, self._keep_up, self._clock, self._metrics, self._logger)

    async def open_reader(self, group: str, topic: str, start: Start) -> EmbeddedReader:
        """StartError as `open_writer`."""
        topic_files, groups = await asyncio.to_thread(self._open_for_group, topic)
        return EmbeddedReader(topic_files, groups, group, start, clock=self._clock, lease_seconds=self._lease_seconds)

    async def open_scanner(self) -> EmbeddedScanner:
        return EmbeddedScanner(self._directory, self._kept_open)

    def _settings_of(self, topic: Topic) -> EmbeddedSettings:
        hours = {} if topic.hours is None else {"retention_hours": topic.hours}
        return self._settings.model_copy(update=_FOR_EVER if topic.until_read else hours)

    async def scrub(self) -> None:
        """What was erased from its compacted topics, by tombstones or by newer records, is in no file any more. It takes
        as long as rewriting them all does."""
        for topic in self._topics:
            directory = self._directory / topic.name
            if "compact" in topic.cleanup and directory.is_dir():
                await asyncio.to_thread(scrub, directory, self._settings, self._clock.now())

    def _check(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise self._unusable(error) from error
        for topic in self._topics:
            manifest.load(self._directory / topic.name)

    def _open_for_group(self, topic: str) -> tuple[TopicFiles, Groups]:
        try:
            groups = Groups(self._directory)
            try:
                return TopicFiles(self._directory / topic), groups
            except BaseException:
                groups.close()
                raise
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> StartError:
        return StartError(
            f"{self._directory} can't be used for the event log: {error.strerror}.",
            "Give this user the right to write there, or name another data directory (`--data-dir`, or `data_dir`).",
        )

    def _keep_up(self) -> None:
        """A clock that is put ahead while this runs makes nothing old: what nobody has read yet would go by it."""
        now = min(self._clock.now(), self._began + self._clock.monotonic())
        for topic in self._topics:
            directory = self._directory / topic.name
            try:
                if directory.is_dir():
                    unread = read_by_all(self._directory, topic.name) if topic.until_read else 0
                    keep_up(directory, topic.cleanup, self._settings_of(topic), now, unread)
            except (OSError, OchnError) as error:
                self._logger.warning("log_upkeep_failed", topic=topic.name, error=str(error))
