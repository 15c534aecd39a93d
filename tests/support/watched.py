"""A log whose readers are looked after, and readers that get stuck as real ones do."""

import asyncio
from dataclasses import dataclass, field

from base.clock import SystemClock
from base.logs import quiet_logger
from eventlog.log import Batch, EventLog, Item, LogReader, LogScanner, LogWriter, Start
from eventlog.watched import PATIENCE, WatchedReader


@dataclass
class StuckReader:
    """Hands out one batch, and from then on nothing: it answers in time (`silent`), or never (`hangs`); or it is only
    its commits that are never answered (`no_commit`)."""

    inner: LogReader
    how: str
    stuck: bool = False

    async def next(self, max_records: int, wait: float) -> Item | None:
        if self.stuck and self.how != "no_commit":
            await asyncio.sleep(wait if self.how == "silent" else 3600)
            return None
        item = await self.inner.next(max_records, wait)
        self.stuck = isinstance(item, Batch)
        return item

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        if self.how == "no_commit":
            await asyncio.sleep(3600)
        await self.inner.commit(partition, offset, note)

    async def close(self, deadline: float) -> None:
        await self.inner.close(deadline)


@dataclass
class WatchedLog:
    """`how`: its first reader gets stuck so."""

    inner: EventLog
    how: str = ""
    patience: float = PATIENCE
    opened: list[LogReader] = field(default_factory=list)
    replaced: int = 0

    async def open_writer(self) -> LogWriter:
        return await self.inner.open_writer()

    async def open_scanner(self) -> LogScanner:
        return await self.inner.open_scanner()

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        async def opened() -> LogReader:
            reader = await self.inner.open_reader(group, topic, start)
            self.opened.append(StuckReader(reader, self.how) if self.how and not self.opened else reader)
            return self.opened[-1]

        def counted() -> None:
            self.replaced += 1

        scanner, clock = await self.inner.open_scanner(), SystemClock()
        return WatchedReader(
            topic, opened, scanner, clock=clock, logger=quiet_logger(), replaced=counted, patience=self.patience
        )
