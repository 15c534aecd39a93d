"""The embedded log in tests: one to open, processes that append to it, and the oracle they leave behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from base.clock import Clock, SystemClock
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.embedded import EmbeddedLog
from eventlog.settings import EmbeddedSettings
from eventlog.topics import Topic
from tests.support.detached import ROOT
from tests.support.log_appender import TOPIC
from tests.support.logs import scanned

PATIENCE = 90.0


def a_log(
    data_dir: Path, *topics: Topic, clock: Clock | None = None, lease_seconds: float = 10.0, **settings: object
) -> EmbeddedLog:
    return EmbeddedLog(
        EmbeddedSettings.model_validate(settings),
        data_dir,
        topics,
        clock=clock or SystemClock(),
        metrics=log_metrics(CollectorRegistry()),
        logger=quiet_logger(),
        lease_seconds=lease_seconds,
    )


@dataclass(frozen=True)
class Oracle:
    """What one process was told: offsets by value, and the refusals."""

    path: Path

    def acknowledged(self) -> dict[str, int]:
        pairs = (line.split(" ") for line in self._lines() if not line.startswith("!"))
        return {value: int(offset) for value, offset in pairs}

    def refusals(self) -> list[str]:
        return [line[2:] for line in self._lines() if line.startswith("!")]

    def until(self, count: int) -> None:
        """Returns when so many are acknowledged."""
        self._until(lambda: len(self.acknowledged()) >= count, f"{count} acknowledged")

    def until_refused(self) -> None:
        self._until(lambda: bool(self.refusals()), "a refusal")

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < deadline, f"{self.path.name}: no {what} within {PATIENCE:.0f} s"
            time.sleep(0.02)

    def _lines(self) -> list[str]:
        """Whole lines; the last may be cut by a kill."""
        text = self.path.read_text() if self.path.exists() else ""
        return text.split("\n")[:-1]


@contextmanager
def appending(
    data_dir: Path, oracle: Path, *words: str, under: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that appends until the block ends, if nothing ended it before; killed with -9, as it must bear."""
    module = [sys.executable, "-m", "tests.support.log_appender"]
    process = subprocess.Popen(
        [*under, *module, data_dir, oracle, oracle.stem, *words], cwd=ROOT, start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # `under` may have made it a child of its own
        process.wait()


def faults(data_dir: Path, *oracles: Oracle, topic: str = TOPIC) -> list[str]:
    """Everything that is wrong in the log, held against what was acknowledged. Empty: nothing is."""
    records = asyncio.run(scanned(a_log(data_dir), topic))
    found = {record.key.decode(): record.position.offset for record in records}
    wrong = [
        f"{value} acknowledged at {offset}, stands at {found.get(value)}"
        for oracle in oracles
        for value, offset in oracle.acknowledged().items()
        if found.get(value) != offset
    ]
    offsets = [record.position.offset for record in records]
    if offsets != list(range(len(offsets))):
        wrong.append("offsets have holes or repeat")
    if len(found) != len(records):
        wrong.append("a record stands there twice")
    return wrong
