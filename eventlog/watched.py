"""A reader that is looked after: one that hands out nothing while its log goes on is replaced by a new one.

Consumers get stuck for good without an error (aiokafka #1154, #1037, #847), and so does a thread on a sick disk. What a
stuck reader says tells nothing, so the log is asked through its scanner where it ends.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from base.clock import Clock
from base.logs import Logger
from eventlog.errors import Fenced, LogError
from eventlog.log import Assigned, Gap, Item, LogReader, LogScanner, Revoked

PATIENCE: Final = 30.0  # seconds without an answer, or without what is there to be read: a rebalance takes less
TURNS: Final = 4  # of each partition: a slow owner is given some partitions later than others, and that is no fault
CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Behind:
    """Since when (monotonic), and after how many answers, a partition has been without what is there to be read."""

    since: float
    answers: int


class WatchedReader:
    """`replaced` is told of each replacement. Before the new reader's, all partitions of the old one are Revoked."""

    def __init__(
        self,
        topic: str,
        open_reader: Callable[[], Awaitable[LogReader]],
        scanner: LogScanner,
        *,
        clock: Clock,
        logger: Logger,
        replaced: Callable[[], None],
        patience: float = PATIENCE,
    ) -> None:
        self._topic, self._open, self._scanner = topic, open_reader, scanner
        self._clock, self._logger, self._replaced = clock, logger, replaced
        self._patience = patience
        self._reader: LogReader | None = None
        self._news: deque[Item] = deque()
        self._places: dict[int, int] = {}  # partition -> the next offset that it is to hand out
        self._behind: dict[int, _Behind] = {}
        self._answers = 0
        self._looking: asyncio.Future[Mapping[int, tuple[int, int]]] | None = None
        self._looked = 0.0  # monotonic

    async def next(self, max_records: int, wait: float) -> Item | None:
        if self._news:
            return self._news.popleft()
        if self._reader is None:
            self._reader = await self._open()
        reader = self._reader
        try:
            async with asyncio.timeout(wait + self._patience):
                item = await reader.next(max_records, wait)
        except TimeoutError:
            await self._replace(reader, "it does not answer")
            return None
        if reader is not self._reader:
            return None  # a commit gave it up meanwhile: what it still says counts no more
        self._note(item)
        if not max_records:
            self._behind.clear()  # it was asked for nothing
        elif stuck := self._stuck():
            place = self._places[stuck[0]]
            await self._replace(reader, f"it does not hand out what partition {stuck[0]} has from {place} on")
        return item

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        reader = self._reader
        if reader is None:
            raise Fenced(f"{self._topic}/{partition}: its reader was given up")
        try:
            async with asyncio.timeout(self._patience):
                await reader.commit(partition, offset, note)
        except TimeoutError as error:
            await self._replace(reader, "it does not commit")
            raise Fenced(f"{self._topic}/{partition}: the commit was not answered") from error

    async def close(self, deadline: float) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        if self._reader is not None:
            await self._reader.close(deadline)

    def _note(self, item: Item | None) -> None:
        self._answers += 1
        if item is None:
            return
        self._behind.pop(item.partition, None)
        if isinstance(item, Revoked):
            self._places.pop(item.partition, None)
        elif isinstance(item, Assigned):
            self._places[item.partition] = item.start if item.committed is None else item.committed
        else:
            self._places[item.partition] = item.end if isinstance(item, Gap) else item.next_offset

    def _stuck(self) -> list[int]:
        """Partitions whose records don't come, though they were asked for long enough and often enough."""
        self._look()
        now, turns = self._clock.monotonic(), TURNS * len(self._places)
        return [
            partition
            for partition, behind in self._behind.items()
            if now - behind.since >= self._patience and self._answers - behind.answers >= turns
        ]

    def _look(self) -> None:
        """Now and then, and waits for no answer: the owner has commits to make."""
        now = self._clock.monotonic()
        if self._looking is None and now - self._looked >= self._patience / 6:
            self._looking = asyncio.ensure_future(self._scanner.bounds(self._topic))
        if self._looking is None or not self._looking.done():
            return
        looking, self._looking, self._looked = self._looking, None, now
        try:
            bounds = looking.result()
        except LogError:
            self._behind.clear()  # who can't be asked where it ends has nothing to hand out either
            return
        for partition, place in self._places.items():
            if place < bounds.get(partition, (0, 0))[1]:
                self._behind.setdefault(partition, _Behind(now, self._answers))
            else:
                self._behind.pop(partition, None)

    async def _replace(self, old: LogReader, why: str) -> None:
        if self._reader is not old:
            return
        self._logger.error("reader.replaced", topic=self._topic, why=why)
        self._replaced()
        self._reader = None
        self._news.extend(Revoked(self._topic, partition) for partition in self._places)
        self._places.clear()
        self._behind.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS + self._patience):
                await old.close(CLOSE_SECONDS)
