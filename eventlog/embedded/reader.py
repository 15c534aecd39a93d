"""One group's reader of one topic: it takes the lease, reads what is durable, and commits under its epoch."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from base.clock import Clock
from eventlog.embedded.cursor import PARTITION, Cursor, first_since
from eventlog.embedded.groups import Groups, Lease, release
from eventlog.embedded.topic import TopicFiles
from eventlog.errors import Fenced
from eventlog.log import Assigned, Batch, Item, Revoked, Start

LEASE_SECONDS: Final = 10.0
_ASK_AGAIN: Final = 0.2  # seconds, while another holds the lease
_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.05  # looking at the head costs two microseconds


class EmbeddedReader:
    """`next` and `commit` work in one thread of the reader's own; on the loop there is only the look at the head."""

    def __init__(
        self, topic: TopicFiles, groups: Groups, group: str, start: Start, *, clock: Clock, lease_seconds: float
    ) -> None:
        self._topic = topic
        self._groups = groups
        self._group = group
        self._start = start
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._lease: Lease | None = None
        self._due = clock.monotonic()  # when the lease is asked for, or renewed, next
        self._cursor = Cursor(topic, 0)
        self._thread = ThreadPoolExecutor(1, f"read-{topic.directory.name}")
        self._job: asyncio.Future[Item | None] | None = None
        self._closed = False

    async def next(self, max_records: int, wait: float) -> Item | None:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + wait, _FIRST_PAUSE
        while True:
            if (self._job or self._has_work(max_records)) and (item := await self._work(max_records)):
                return item
            left = deadline - loop.time()
            if left <= 0:
                return None
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        if partition != PARTITION or self._closed:
            raise Fenced(f"{self._topic.directory.name}/{partition} is not this reader's")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, offset, note)

    async def close(self, deadline: float) -> None:
        if self._closed:
            return
        self._closed = True
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        await asyncio.wait([closing], timeout=deadline)
        self._thread.shutdown(wait=False)

    def _has_work(self, max_records: int) -> bool:
        if self._clock.monotonic() >= self._due:
            return True
        return self._lease is not None and max_records > 0 and self._topic.has_news(self._cursor.offset)

    async def _work(self, max_records: int) -> Item | None:
        """What the thread finds outlives a cancelled `next`: the following one hands it out."""
        if self._job is None:
            self._job = asyncio.get_running_loop().run_in_executor(self._thread, self._step, max_records)
        await asyncio.wait([self._job])
        item = None
        if self._job.exception() or not (max_records == 0 and isinstance(self._job.result(), Batch)):
            job, self._job = self._job, None
            item = job.result()
        return item

    def _step(self, max_records: int) -> Item | None:
        now = self._clock.monotonic()
        if self._lease is None:
            return self._take(now) if now >= self._due else None
        if now >= self._due:
            if not self._groups.renew(self._lease, now):
                return self._revoked(now)
            self._due = now + self._lease_seconds / 3
        return self._cursor.read(max_records) if max_records else None

    def _take(self, now: float) -> Assigned | None:
        name = self._topic.directory.name
        lease = self._groups.take(self._group, name, self._first_start, now, self._lease_seconds)
        if lease is None:
            self._due = now + _ASK_AGAIN
            return None
        self._lease, self._due = lease, now + self._lease_seconds / 3
        start = lease.start if lease.committed is None else lease.committed
        self._cursor.close()
        self._cursor = Cursor(self._topic, start)
        return Assigned(name, PARTITION, lease.committed, start, lease.note)

    def _revoked(self, now: float) -> Revoked:
        if self._lease:
            release(self._lease)
        self._lease, self._due = None, now + _ASK_AGAIN
        return Revoked(self._topic.directory.name, PARTITION)

    def _commit(self, offset: int, note: str) -> None:
        if self._lease is None:
            raise Fenced(f"{self._topic.directory.name} is not this reader's")
        self._groups.commit(self._lease, offset, note)

    def _first_start(self) -> int:
        if self._start == "now":
            return self._topic.durable_segments()[-1].next
        if self._start == "earliest":
            return self._topic.durable_segments()[0].base
        return first_since(self._topic, self._start)

    def _close(self) -> None:
        if self._lease:
            release(self._lease)
        self._lease = None
        self._cursor.close()
        self._groups.close()
        self._topic.close()
