"""A process that appends to an embedded log until it is ended, and notes each record once it is acknowledged.

`python -m tests.support.log_appender DATA_DIR ORACLE NAME [spool] [no-sync] [no-lock] [count=N]`: a line of the oracle
is `<value> <offset>`, or `! <why>` for a refusal. `spool`: by way of a log that is away. `no-sync` and `no-lock` switch
protections off, for negative controls.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import LogMetrics, log_metrics
from eventlog.clean_end import CleanEnd
from eventlog.embedded import EmbeddedLog, files
from eventlog.errors import AppendError, LogUnavailable
from eventlog.log import LogWriter, Position, Record
from eventlog.memory import MemoryLog
from eventlog.settings import EmbeddedSettings
from eventlog.spool import SpooledLog
from eventlog.spool_state import SpoolState
from eventlog.topics import Topics

TOPIC = "events"
TOPICS = Topics("t")
AT_ONCE = 32
PAUSE_WHEN_REFUSED = 0.02


class Appending:
    """Keeps `AT_ONCE` records under way."""

    def __init__(self, writer: LogWriter, oracle: int, name: str, limit: int) -> None:
        self._writer, self._oracle, self._name = writer, oracle, name
        self._numbers = count()
        self._left = limit
        self.done = asyncio.Event()
        self._under_way = 0

    def send(self) -> None:
        if self._left:
            self._left -= 1
            self._under_way += 1
            value = f"{self._name}-{next(self._numbers)}".encode()
            self._writer.append([Record(TOPIC, value, value + b" " * 300, SystemClock().now())], self._settled)
        elif not self._under_way:
            self.done.set()

    def _settled(self, record: Record, result: Position | AppendError) -> None:
        self._under_way -= 1
        refused = isinstance(result, AppendError)
        line = f"! {result}\n".encode() if refused else b"%b %d\n" % (record.key, getattr(result, "offset", -1))
        os.write(self._oracle, line)
        asyncio.get_running_loop().call_later(PAUSE_WHEN_REFUSED if refused else 0, self.send)


@contextmanager
def unlocked(descriptor: int) -> Iterator[None]:
    yield


def spooling_into(spool: EmbeddedLog, data_dir: Path, metrics: LogMetrics) -> SpooledLog:
    primary = MemoryLog()
    primary.outage = LogUnavailable("away")
    return SpooledLog(
        primary,
        spool,
        slow_seconds=0.25,
        topics=TOPICS,
        crowded=lambda: False,
        shown=SpoolState(data_dir, SystemClock()),
        clean_end=CleanEnd(data_dir),
        metrics=metrics,
        logger=quiet_logger(),
    )


async def run(data_dir: Path, oracle: Path, name: str, words: list[str]) -> None:
    if "no-lock" in words:
        files.locked = unlocked
    settings = EmbeddedSettings(segment_bytes=256 * 1024, sync="no-sync" not in words)
    metrics = log_metrics(CollectorRegistry())
    embedded = EmbeddedLog(settings, data_dir, (), clock=SystemClock(), metrics=metrics, logger=quiet_logger())
    log = spooling_into(embedded, data_dir, metrics) if "spool" in words else embedded
    writer = await log.open_writer()
    limit = next((int(word.removeprefix("count=")) for word in words if word.startswith("count=")), -1)
    appending = Appending(writer, os.open(oracle, os.O_WRONLY | os.O_APPEND | os.O_CREAT), name, limit)
    for _ in range(AT_ONCE):
        appending.send()
    await appending.done.wait()
    await writer.close(10)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
