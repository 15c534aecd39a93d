"""A log that takes what it is given and answers nothing until it is let go, as a broker that is stopped does."""

import asyncio
from collections.abc import Sequence

from eventlog.errors import LogUnavailable
from eventlog.log import LogReader, LogScanner, LogState, Record, Settled, Start
from eventlog.memory import MemoryLog


class StalledLog:
    """`kept` is what it took. `unread`: what looking into it ends in."""

    def __init__(self, kept: MemoryLog) -> None:
        self.kept = kept
        self.stalled = False
        self.unread: Exception | None = None
        self._waiting: list[tuple[Record, Settled]] = []

    def let_go(self, *, taken: bool = True, told: bool = True) -> None:
        """What waited is taken now, or not; a failure is all that is `told` of what is not, or should not be known."""
        self.stalled = False
        waiting, self._waiting = self._waiting, []
        for record, settled in waiting:
            position = self.kept.store(record) if taken else None
            settled(record, position if position and told else LogUnavailable("stalled"))

    async def open_writer(self) -> "StalledWriter":
        return StalledWriter(self)

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        return await self.kept.open_reader(group, topic, start)

    async def open_scanner(self) -> LogScanner:
        if self.unread:
            raise self.unread
        return await self.kept.open_scanner()

    def take(self, records: Sequence[Record], settled: Settled) -> None:
        if self.stalled:
            self._waiting += ((record, settled) for record in records)
        else:
            for record in records:
                settled(record, self.kept.store(record))


class StalledWriter:
    def __init__(self, log: StalledLog) -> None:
        self._log = log

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        asyncio.get_running_loop().call_soon(self._log.take, records, settled)

    def state(self) -> LogState:
        return LogState("ok", "it says so")

    async def close(self, deadline: float) -> None:
        self._log.let_go(taken=False)
