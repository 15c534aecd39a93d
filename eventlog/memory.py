"""The log in memory: what tests and `ochn explain` stand on, held to the same contract as the durable ones."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from zlib import crc32

from base.logs import Logger, quiet_logger
from eventlog.appending import tell, too_large
from eventlog.errors import AppendError, Fenced, LogUnavailable
from eventlog.log import (
    Assigned,
    Batch,
    Gap,
    Item,
    LogState,
    Position,
    Record,
    Revoked,
    Settled,
    Start,
    StoredRecord,
)


@dataclass(slots=True)
class _Partition:
    """`first` is the earliest offset that is kept."""

    first: int = 0
    records: list[StoredRecord] = field(default_factory=list)

    @property
    def next(self) -> int:
        return self.first + len(self.records)

    def slice(self, first: int, end: int) -> Sequence[StoredRecord]:
        return self.records[max(first - self.first, 0) : max(end - self.first, 0)]


@dataclass(slots=True)
class _Group:
    """The first of `members` holds all partitions."""

    members: "list[MemoryReader]" = field(default_factory=list)
    committed: dict[int, int] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    started: dict[int, int] = field(default_factory=dict)


class MemoryLog:
    """`outage` set: every append fails with it, and the writer's state is down. `expire` and `evict` do to readers
    what retention and a taken-over lease do."""

    def __init__(self, partitions: int = 1, logger: Logger | None = None) -> None:
        self.outage: AppendError | None = None
        self.partitions = partitions
        self.logger = logger or quiet_logger()
        self.topics: dict[str, list[_Partition]] = {}
        self.groups: dict[tuple[str, str], _Group] = {}
        self._changed = asyncio.Event()

    async def open_writer(self) -> "MemoryWriter":
        return MemoryWriter(self)

    async def open_reader(self, group: str, topic: str, start: Start) -> "MemoryReader":
        return MemoryReader(self, group, topic, start)

    async def open_scanner(self) -> "MemoryScanner":
        return MemoryScanner(self)

    def expire(self, topic: str, partition: int, before: int) -> None:
        """Forget the records before an offset, as retention does."""
        kept = self.topic(topic)[partition]
        kept.records = list(kept.slice(before, kept.next))
        kept.first = before
        self.tell_readers()

    def evict(self, group: str, topic: str) -> None:
        """Take the partitions from the reader that holds them; the next in line gets them, or itself anew."""
        members = self.groups[group, topic].members
        members[0].lose()
        members.append(members.pop(0))
        self.tell_readers()

    def topic(self, name: str) -> list[_Partition]:
        return self.topics.setdefault(name, [_Partition() for _ in range(self.partitions)])

    def store(self, record: Record) -> Position:
        number = crc32(record.key) % self.partitions
        partition = self.topic(record.topic)[number]
        position = Position(record.topic, number, partition.next)
        stored = StoredRecord(position, record.key, record.value, record.timestamp, record.headers)
        partition.records.append(stored)
        return position

    def tell_readers(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_for_change(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)


class MemoryWriter:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._closed = False
        self._waiting: deque[tuple[Record, Settled]] = deque()

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        self._waiting.extend((record, settled) for record in records)
        asyncio.get_running_loop().call_soon(partial(self._settle, len(records)))

    def state(self) -> LogState:
        if self._log.outage is None:
            return LogState("ok", in_flight=len(self._waiting))
        return LogState("down", str(self._log.outage), in_flight=len(self._waiting))

    async def close(self, deadline: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._settle(len(self._waiting))
        self._closed = True

    def _settle(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            record, settled = self._waiting.popleft()
            tell(settled, record, self._store(record), self._log.logger)
        self._log.tell_readers()

    def _store(self, record: Record) -> Position | AppendError:
        if self._closed:
            return LogUnavailable("the writer is closed")
        return too_large(record) or self._log.outage or self._log.store(record)


class MemoryReader:
    def __init__(self, log: MemoryLog, group: str, topic: str, start: Start) -> None:
        self._log = log
        self._topic = topic
        self._start = start
        self._partitions = log.topic(topic)
        self._group = log.groups.setdefault((group, topic), _Group())
        self._group.members.append(self)
        self._offsets: dict[int, int] = {}  # of the partitions that this reader holds; empty: it waits in line
        self._news: deque[Item] = deque()

    async def next(self, max_records: int, wait: float) -> Item | None:
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            if not self._offsets and not self._news and self._group.members[:1] == [self]:
                self._news.extend(self._assign())
            if self._news:
                return self._news.popleft()
            for partition in self._offsets if max_records else ():
                if item := self._read(partition, max_records):
                    return item
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return None
            await self._log.wait_for_change(left)

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        if partition not in self._offsets:
            raise Fenced(f"{self._topic}/{partition} is not this reader's")
        self._group.committed[partition] = offset
        self._group.notes[partition] = note

    async def close(self, deadline: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._offsets.clear()
        if self in self._group.members:
            self._group.members.remove(self)
        self._log.tell_readers()

    def lose(self) -> None:
        self._news.extend(Revoked(self._topic, partition) for partition in self._offsets)
        self._offsets.clear()

    def _assign(self) -> Iterator[Assigned]:
        for number, partition in enumerate(self._partitions):
            committed = self._group.committed.get(number)
            start = self._group.started.setdefault(number, _first_start(partition, self._start))
            self._offsets[number] = start if committed is None else committed
            yield Assigned(self._topic, number, committed, self._offsets[number], self._group.notes.get(number, ""))

    def _read(self, number: int, max_records: int) -> Item | None:
        partition, offset = self._partitions[number], self._offsets[number]
        if offset < partition.first:
            self._offsets[number] = partition.first
            return Gap(self._topic, number, offset, partition.first, "expired")
        records = tuple(partition.slice(offset, offset + max_records))
        if not records:
            return None
        self._offsets[number] = offset + len(records)
        self._offsets[number] = self._offsets.pop(number)  # to the end of the line: each partition has its turn
        return Batch(self._topic, number, records, self._offsets[number])


class MemoryScanner:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def scan(
        self,
        topic: str,
        since: float | None = None,
        ranges: Mapping[int, tuple[int, int]] | None = None,
        *,
        until: float | None = None,
        containing: bytes | None = None,
    ) -> AsyncGenerator[StoredRecord, None]:
        bounds = await self.bounds(topic)
        for number, (earliest, end) in bounds.items():
            first, last = (earliest, end) if ranges is None else ranges.get(number, (0, 0))
            for record in self._log.topics[topic][number].slice(first, min(last, end)):
                if record.is_asked_for(since, until, containing):
                    yield record

    async def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return {number: (kept.first, kept.next) for number, kept in enumerate(self._log.topics.get(topic, ()))}

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        known = self._log.groups.get((group, topic))
        return dict(known.committed) if known else {}


def _first_start(partition: _Partition, start: Start) -> int:
    if start == "now":
        return partition.next
    if start == "earliest":
        return partition.first
    later = (record.position.offset for record in partition.records if record.timestamp >= start)
    return next(later, partition.next)
