"""A log that fails as Kafka does: with a group on its way, which it may have taken or not."""

import asyncio
from collections.abc import Sequence
from random import Random

from eventlog.errors import AppendError, LogUnavailable, RecordTooLarge
from eventlog.log import LogReader, LogScanner, LogState, Position, Record, Settled, Start
from eventlog.memory import MemoryLog


class FlakyLog:
    """`kept` is what it took. `failing` is how many of its next groups fail; it is down for a moment after each.
    `limit`: bytes of the largest value it takes."""

    def __init__(self, kept: MemoryLog, random: Random) -> None:
        self.kept, self.random = kept, random
        self.failing = 0
        self.limit = 1_000_000

    async def open_writer(self) -> "FlakyWriter":
        return FlakyWriter(self)

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        return await self.kept.open_reader(group, topic, start)

    async def open_scanner(self) -> LogScanner:
        return await self.kept.open_scanner()


class FlakyWriter:
    """One group on its way at a time; what arrives meanwhile is the next group, and fails with it."""

    def __init__(self, log: FlakyLog) -> None:
        self._log = log
        self._queue: list[tuple[Record, Settled]] = []
        self._down = False
        self._work: asyncio.Task[None] | None = None

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        if self._down:
            asyncio.get_running_loop().call_soon(self._fail, [(record, settled) for record in records])
            return
        self._queue += ((record, settled) for record in records)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._deliver())

    def state(self) -> LogState:
        return LogState("down" if self._down else "ok", "flaky", len(self._queue))

    async def close(self, deadline: float) -> None:
        if self._work is not None:
            await asyncio.wait({self._work}, timeout=deadline)
        self._down = True

    async def _deliver(self) -> None:
        while self._queue and not self._down:
            group, self._queue = self._queue, []
            await asyncio.sleep(self._log.random.random() / 50)
            if self._log.failing:
                self._log.failing -= 1
                await self._break(group)
            else:
                for record, settled in group:
                    settled(record, self._take(record))

    def _take(self, record: Record) -> Position | AppendError:
        if len(record.value or b"") > self._log.limit:
            return RecordTooLarge("flaky")
        return self._log.kept.store(record)

    async def _break(self, group: list[tuple[Record, Settled]]) -> None:
        """What it took of the group is a head of it; nobody learns how much."""
        for record, _ in group[: self._log.random.randint(0, len(group))]:
            self._log.kept.store(record)
        self._down = True
        failed, self._queue = group + self._queue, []
        self._fail(failed)
        asyncio.get_running_loop().call_later(self._log.random.random() / 5, self._rise)

    def _rise(self) -> None:
        self._down = False

    def _fail(self, waiting: list[tuple[Record, Settled]]) -> None:
        for record, settled in waiting:
            settled(record, LogUnavailable("flaky"))
