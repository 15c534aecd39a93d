"""Hands the records of one topic to one consumer group, and joins it again after any trouble."""

import asyncio
import contextlib
from collections import deque

from base.clock import Clock
from base.logs import Logger
from base.tasks import is_wanted_to_end
from eventlog.errors import Fenced, LogUnavailable
from eventlog.kafka.beginnings import Starts
from eventlog.kafka.connection import Connection
from eventlog.kafka.member import Member
from eventlog.kafka.places import Subscription
from eventlog.kafka.topics import ensure_topics
from eventlog.log import Item
from eventlog.topics import Topic

RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
WATCH_SECONDS = 5.0
AWAY_SECONDS = 60.0  # without a place in its group; who gets no records is looked after from outside (watched.py)


class KafkaReader:
    """A rebalance takes all partitions from everybody, so Revoked is followed by Assigned for those that stay.

    It waits a few seconds until what `next` handed out is committed: settle and commit as always, no more is needed.
    A commit is durable when it returns; when it can't be made so in time, the partition is given up: Fenced.
    """

    def __init__(
        self,
        *,
        topic: Topic,
        subscription: Subscription,
        connection: Connection,
        starts: Starts,
        clock: Clock,
        logger: Logger,
    ) -> None:
        self._topic, self._subscription, self._connection = topic, subscription, connection
        self._starts, self._clock, self._logger = starts, clock, logger
        self._news: deque[Item] = deque()
        self._changed = asyncio.Event()
        self._member: Member | None = None
        self._keeper = asyncio.get_running_loop().create_task(self._keep_joined())
        self._patience = 1.0

    async def next(self, max_records: int, wait: float) -> Item | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        looked = False
        while True:
            self._changed.clear()
            if self._news:
                return self._news.popleft()
            if self._keeper.done():
                raise LogUnavailable(f"{self._subscription.group} is not joined any more")
            member = self._member
            if member is not None and max_records and (batch := member.take(max_records)):
                return batch
            left = max(0.0, deadline - loop.time())
            if looked and not left:
                return None
            looked = True
            await (member.poll(max_records, left) if member is not None else self._wait(left))

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        if self._member is None:
            raise Fenced(f"{self._subscription.topic}/{partition} is not this reader's: it is no member of its group")
        await self._member.commit(partition, offset, note)

    async def close(self, deadline: float) -> None:
        self._patience = deadline
        self._keeper.cancel()
        await asyncio.wait({self._keeper})
        self._starts.close()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    async def _keep_joined(self) -> None:
        attempt = 0
        while True:
            member = self._new_member()
            try:
                await self._join(member)
                attempt = 0
                await self._watch(member)
            except (Exception, asyncio.CancelledError) as error:  # of whatever a consumer dies, the group goes on
                if is_wanted_to_end():
                    raise
                if attempt == 0:
                    self._logger.warning("kafka_reader_away", group=self._subscription.group, detail=str(error))
            finally:
                self._member = None
                await member.end(self._patience)
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    def _new_member(self) -> Member:
        return Member(
            subscription=self._subscription,
            connection=self._connection,
            starts=self._starts,
            clock=self._clock,
            logger=self._logger,
            news=self._news,
            changed=self._changed,
        )

    async def _join(self, member: Member) -> None:
        await self._connection.knock()
        await ensure_topics(self._connection, [self._topic])
        self._member = member
        await member.join()

    async def _watch(self, member: Member) -> None:
        """Until it breaks; LogUnavailable when no rebalance ends."""
        seen = self._clock.monotonic()
        while True:
            try:
                async with asyncio.timeout(WATCH_SECONDS):
                    await member.broken.wait()
                    return
            except TimeoutError:
                now = self._clock.monotonic()
                seen = now if member.joined else seen
                if now - seen > AWAY_SECONDS:
                    raise LogUnavailable(f"{self._subscription.group} gives it no place") from None
