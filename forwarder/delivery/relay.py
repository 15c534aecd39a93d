"""One destination's way from the log: reads its group's partitions, hands events to the engine, commits what is settled.

Reads no faster than the engine settles: beyond the bound it only keeps its membership.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

from base.clock import Clock
from base.logs import Logger
from base.metrics import ForwarderMetrics
from base.reasons import Filter
from eventlog.errors import Fenced
from eventlog.event import Event, UnreadableEvent
from eventlog.log import Assigned, Batch, Gap, Item, LogReader, Revoked, StoredRecord
from forwarder.delivery.duplicates import Duplicates
from forwarder.delivery.engine import Engine
from forwarder.destinations.base import filtered
from forwarder.keeping.dead_letters import DESTINATION_HEADER, DeadLetters
from forwarder.keeping.facts import FactStore
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.work import Work

WAIT: Final = 0.2  # seconds without an item until offsets are looked at
FULL_WAIT: Final = 0.02  # seconds until the engine may have room again
COMMIT_SECONDS: Final = 0.2
CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of what is taken and not settled; `records` at a time."""

    records: int
    events: int
    bytes: int


@dataclass(slots=True, kw_only=True, eq=False)
class Relay:
    destination: str
    engine: Engine
    ledger: Ledger
    facts: FactStore
    parking: Parking
    dead_letters: DeadLetters
    duplicates: Duplicates
    bounds: Bounds
    clock: Clock
    metrics: ForwarderMetrics
    log: Logger
    _committed_at: float = field(init=False, default=0.0)
    _taking: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _committing: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _read: dict[int, deque[Batch | Gap]] = field(init=False, default_factory=dict)  # and not taken yet, by partition

    async def run(self, reader: LogReader, ending: asyncio.Event, drain_seconds: float) -> None:
        """Until `ending`: then calls in flight may end for `drain_seconds`. Closes the reader."""
        working = [asyncio.create_task(self.engine.run()), asyncio.create_task(self._keep_committing(reader))]
        try:
            while not ending.is_set() and not any(task.done() for task in working):
                room, committed_at = self._room(), self._committed_at
                item = await reader.next(room, WAIT if room else FULL_WAIT)
                async with self._taking:
                    if item is not None:
                        await self._take(item)
                    await self._admit()
                idle = item is None and self._committed_at == committed_at  # and `_keep_committing` has not just been
                if idle or self.clock.monotonic() - self._committed_at >= COMMIT_SECONDS:
                    await self._commit(reader)
            for task in working:
                if task.done():
                    task.result()
            await self.engine.stop(drain_seconds)
            await self._commit(reader)
        finally:
            await self.engine.stop(0)
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await reader.close(CLOSE_SECONDS)
            self.ledger.close()

    def _room(self) -> int:
        """In records. Some of what is read waits for its partition's window; others go on beside it."""
        read = sum(len(item.records) for items in self._read.values() for item in items if isinstance(item, Batch))
        if self.ledger.waiting_bytes >= self.bounds.bytes or read >= self.bounds.records:
            return 0
        return max(0, min(self.bounds.records, self.bounds.events - self.ledger.waiting - read))

    async def _take(self, item: Item) -> None:
        match item:
            case Batch() | Gap():
                if item.partition in self._read:  # else it was fenced meanwhile
                    self._read[item.partition].append(item)
            case Assigned():
                self._read[item.partition] = deque()
                async with self.engine.quiet():
                    self.engine.leave(lambda work: work.partition == item.partition)
                    await self.facts.restore(item.partition)
                    await self.parking.restore()
                start = item.start if item.committed is None else item.committed
                await self.duplicates.restore(item.partition, start)
                self.ledger.assign(item.partition, start, item.note)
                self.log.info("partition.assigned", partition=item.partition, offset=start)
                self.ledger.recall(self.parking.beyond(item.partition, start))
            case Revoked():
                self._leave(item.partition)
                self.log.info("partition.revoked", partition=item.partition)

    def _leave(self, partition: int) -> None:
        self.ledger.revoke(partition)
        self._read.pop(partition, None)

    async def _admit(self) -> None:
        """What has been read, as far as each partition's window is open."""
        for partition, items in list(self._read.items()):
            while items and self._read.get(partition) is items and (room := self.ledger.room(partition)) > 0:
                item = items.popleft()
                if isinstance(item, Gap):
                    self._lose(item)
                    continue
                if later := item.records[room:]:
                    items.appendleft(replace(item, records=later))
                    item = replace(item, records=item.records[:room], next_offset=later[0].position.offset)
                await self._take_batch(item)

    def _lose(self, gap: Gap) -> None:
        lost = gap.end - gap.first
        self.ledger.lose(gap.partition, gap.first, gap.end, gap.cause)
        self.metrics.gaps.labels(self.destination, gap.cause).inc(lost)
        self.log.error("log.gap", partition=gap.partition, first=gap.first, lost=lost, cause=gap.cause)

    async def _take_batch(self, batch: Batch) -> None:
        ours = [record for record in batch.records if _is_ours(record, self.destination)]
        now = self.clock.monotonic()
        works = []
        for record in ours:
            try:
                event = Event.from_record(record)
            except UnreadableEvent as error:
                await self.dead_letters.put_unreadable(record, str(error))
            else:
                position = record.position
                works.append(Work(event, position.partition, position.offset, len(record.value or b""), now))
        if batch.partition not in self._read:
            return
        left = self.ledger.take(batch.partition, batch.records, works, batch.next_offset)
        if copies := self.duplicates.among(batch.partition, works, batch.next_offset):
            await self.engine.settlement.settle_all(
                (work, filtered(Filter.DUPLICATE)) for work in left if work in copies
            )
            left = [work for work in left if work not in copies]
        self.engine.accept(left)

    async def _keep_committing(self, reader: LogReader) -> None:
        """Until it is cancelled. Beside the reading, which may wait for what does not come while room is wanted."""
        while True:
            await self.ledger.due.wait()
            await self._commit(reader)
            async with self._taking:
                await self._admit()

    async def _commit(self, reader: LogReader) -> None:
        async with self._committing:
            self._committed_at = self.clock.monotonic()
            for partition, offset in (await self.ledger.committable()).items():
                read = self._read.get(partition)
                try:
                    await reader.commit(partition, offset, self.ledger.note(partition, offset))
                except Fenced:
                    if self._read.get(partition) is read:  # else it is ours again by now
                        self._leave(partition)
                    self.log.warning("partition.fenced", partition=partition, offset=offset)
                else:
                    self.ledger.committed(partition, offset)


def _is_ours(record: StoredRecord, destination: str) -> bool:
    """A replayed event is for the destination that its header names."""
    for name, meant in record.headers:
        if name == DESTINATION_HEADER:
            return meant == destination.encode()
    return True
