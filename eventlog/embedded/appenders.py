"""The thread's side of a writer: each topic is opened by its first record, and a group goes to each topic it names."""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from base.clock import Clock
from base.errors import UserError
from eventlog.embedded import files
from eventlog.embedded.appender import Appender
from eventlog.embedded.topic import TopicFiles
from eventlog.errors import LogUnavailable
from eventlog.log import Record
from eventlog.settings import EmbeddedSettings

_PROBE: Final = bytes(64 * 1024)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Appenders:
    def __init__(self, directory: Path, settings: EmbeddedSettings, clock: Clock) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._open: dict[str, tuple[TopicFiles, Appender]] = {}

    def append(self, group: Mapping[str, Sequence[Record]]) -> dict[str, int | LogUnavailable]:
        """For each topic its records' first offset, or why none of them is durable."""
        return {topic: self._append(topic, records) for topic, records in group.items()}

    def probe(self) -> LogUnavailable | None:
        """Why the disk still takes nothing; None when it does."""
        path = self._directory / f"probe.{os.getpid()}"
        try:
            files.replace(path, _PROBE)
            path.unlink()
        except OSError as error:
            return LogUnavailable(self._sentence(error))
        return None

    def close(self) -> None:
        for topic, appender in self._open.values():
            appender.close()
            topic.close()

    def _append(self, topic: str, records: Sequence[Record]) -> int | LogUnavailable:
        try:
            return self._appender(topic).append(records, self._clock.now())
        except LogUnavailable as error:
            return error
        except UserError as error:
            return LogUnavailable(error.message)
        except OSError as error:
            return LogUnavailable(self._sentence(error))
        except Exception as error:  # noqa: BLE001 - the thread must live, and each record must be answered
            return LogUnavailable(f"{topic} can't be written: {error!r}")

    def _appender(self, topic: str) -> Appender:
        if topic not in self._open:
            opened = TopicFiles(self._directory / topic)
            self._open[topic] = (opened, Appender(opened, self._settings))
        return self._open[topic][1]

    def _sentence(self, error: OSError) -> str:
        what = "the disk is full" if error.errno in _FULL else f"the disk refuses: {error.strerror}"
        return f"{self._directory} takes no events: {what}"
