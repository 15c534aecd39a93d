"""One membership in a consumer group, from joining to the first trouble; then the reader joins anew.

aiokafka's consumers can stay stuck (#1154, #1037, #847), may take an expired offset for a first start, and its
`commit()` commits what nobody has settled (#929). So a member decides itself where a partition begins, commits only
what it is told, waits for nothing without a deadline, and breaks as soon as it does not understand.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    OffsetMetadataTooLargeError,
    OffsetOutOfRangeError,
)
from aiokafka.record.default_records import DefaultRecord

from base.clock import Clock
from base.logs import Logger
from eventlog.errors import Fenced
from eventlog.kafka.beginnings import Starts
from eventlog.kafka.connection import Connection
from eventlog.kafka.ending import end_consumer
from eventlog.kafka.places import Places, Subscription
from eventlog.kafka.starting import start_consumer
from eventlog.log import Assigned, Batch, Gap, Item, Position, Revoked, StoredRecord

SESSION_SECONDS = 10.0  # silent for longer, its partitions go to others
REBALANCE_SECONDS = 10.0
REQUEST_SECONDS = 15.0  # above the rebalance: to join may take as long
JOIN_SECONDS = 60.0
ASSIGN_SECONDS = 8.0  # no heartbeat goes out meanwhile
GRACE_SECONDS = 3.0  # for the owner to commit what it was handed, before a partition goes
COMMIT_SECONDS = 10.0
LOOK_SECONDS = 0.25  # a wait for records looks up this often


@dataclass(slots=True)
class Held:
    """`handed` is the next offset to hand out, `committed` the next after a restart."""

    handed: int
    committed: int


class Member(ConsumerRebalanceListener):  # type: ignore[misc]
    """`news` takes what happens to its partitions, in order, and `changed` is set then."""

    def __init__(
        self,
        *,
        subscription: Subscription,
        connection: Connection,
        starts: Starts,
        clock: Clock,
        logger: Logger,
        news: deque[Item],
        changed: asyncio.Event,
    ) -> None:
        self._subscription = subscription
        self._logger, self._news, self._changed = logger, news, changed
        self._held: dict[int, Held] = {}
        self._fetched: deque[tuple[int, list[ConsumerRecord]]] = deque()
        self._commits: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self.broken = asyncio.Event()
        self.joined = False
        self._notes = True  # the broker takes them
        self._consumer = AIOKafkaConsumer(
            **connection.client(REQUEST_SECONDS),
            group_id=subscription.group,
            client_id=f"ochn-{int(subscription.opened * 1e6):020}",  # shares are dealt in the order of these names
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
            heartbeat_interval_ms=1000,
        )
        self._places = Places(self._consumer, subscription, starts, clock)

    async def join(self) -> None:
        self._consumer.subscribe([self._subscription.topic], listener=self)
        async with asyncio.timeout(JOIN_SECONDS):
            await start_consumer(self._consumer)

    async def end(self, patience: float) -> None:
        """Leaves the group when that can be done in `patience` seconds."""
        self.break_off("closed")
        await end_consumer(self._consumer, patience)

    def break_off(self, reason: object) -> None:
        """It is no member any more: nothing is committed from here on."""
        if not self.broken.is_set():
            self.broken.set()
            self._logger.info("kafka_member_ended", group=self._subscription.group, reason=str(reason))
            self._revoke()

    # aiokafka calls these two from its coordination task; it would log what they raise, and go on.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002 - always all
        """Keeps the group waiting until the owner has committed what it was handed, GRACE_SECONDS at most."""
        self.joined = False
        self._fetched.clear()
        deadline = asyncio.get_running_loop().time() + GRACE_SECONDS
        while any(held.committed < held.handed for held in self._held.values()):
            self._settled.clear()
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not await _happens(self._settled, left):
                break
        self._revoke()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        partitions = sorted(assigned, key=lambda one: one.partition)
        self._consumer.pause(*partitions)  # before the fetcher takes a look: where they begin is ours to say
        try:
            async with asyncio.timeout(ASSIGN_SECONDS):
                await self._begin(partitions)
        except (KafkaError, OSError, TimeoutError) as error:
            self.break_off(error)
        else:
            self.joined = True
            self._changed.set()

    async def _begin(self, partitions: list[TopicPartition]) -> None:
        if not partitions or self.broken.is_set():
            return
        for one, at in await self._places.find(partitions):
            self._consumer.seek(one, at.position)
            self._consumer.resume(one)
            self._held[one.partition] = Held(at.position, at.position)
            start = at.position if at.committed is None else at.committed
            self._news.append(Assigned(one.topic, one.partition, at.committed, start, at.note))
            if at.gap:
                self._news.append(Gap(one.topic, one.partition, *at.gap, "expired"))

    def _revoke(self) -> None:
        self._fetched.clear()
        for commit in self._commits:
            commit.cancel()  # retried after the rebalance it would carry the new generation, and be taken
        untold = {item.partition for item in self._news if isinstance(item, Assigned)}
        told = [item for item in self._news if isinstance(item, Revoked) or item.partition not in untold]
        self._news.clear()
        self._news.extend(told)
        self._news.extend(Revoked(self._subscription.topic, one) for one in self._held if one not in untold)
        self._held.clear()
        self._changed.set()

    def take(self, max_records: int) -> Batch | None:
        """Records that have been fetched, of the partition whose turn it is."""
        if not self._fetched:
            return None
        partition, fetched = self._fetched.popleft()
        records = tuple(stored(self._subscription.topic, partition, record) for record in fetched[:max_records])
        if len(fetched) > max_records:
            self._fetched.append((partition, fetched[max_records:]))
        self._held[partition].handed = next_offset = records[-1].position.offset + 1
        return Batch(self._subscription.topic, partition, records, next_offset)

    async def poll(self, max_records: int, wait: float) -> None:
        """Fetches into what `take` takes from; returns within `wait` seconds, and early when there is news."""
        if not self._held or not self.joined:
            await _happens(self._changed, wait)
            return
        partitions = [TopicPartition(self._subscription.topic, partition) for partition in self._held]
        wait = min(wait, LOOK_SECONDS)
        (self._consumer.resume if max_records else self._consumer.pause)(*partitions)
        try:
            async with asyncio.timeout(wait + 1.0):  # getmany waits for the end of a rebalance that begins now
                milliseconds = int(wait * 1000) if max_records else 0
                fetched = await self._consumer.getmany(
                    *partitions, timeout_ms=milliseconds, max_records=max_records or 1
                )
        except TimeoutError:
            return
        except OffsetOutOfRangeError as error:
            await self._out_of_range(error)
        except KafkaError as error:
            self.break_off(error)
        else:
            self._keep(fetched)
            if not max_records:  # a paused member is only known to live because it asked
                await _happens(self._changed, wait)

    def _keep(self, fetched: dict[TopicPartition, list[ConsumerRecord]]) -> None:
        for one, records in fetched.items():
            if records and one.partition in self._held:
                self._fetched.append((one.partition, records))

    async def _out_of_range(self, error: OffsetOutOfRangeError) -> None:
        """The log's start has passed us, or the topic was made anew and ends before us."""
        try:
            async with asyncio.timeout(ASSIGN_SECONDS):
                for one, offset in error.args[0].items():
                    earliest = (await self._consumer.beginning_offsets([one]))[one]
                    if one.partition not in self._held:
                        continue
                    if offset < earliest:
                        self._news.append(Gap(one.topic, one.partition, offset, earliest, "expired"))
                    else:
                        self._logger.error("kafka_log_ends_before_us", topic=one.topic, at=offset, from_now=earliest)
                    self._consumer.seek(one, earliest)
        except (KafkaError, TimeoutError) as trouble:
            self.break_off(trouble)

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        held = self._held.get(partition)
        if held is None:
            raise Fenced(f"{self._subscription.topic}/{partition} is not this reader's")
        one = TopicPartition(self._subscription.topic, partition)
        commit = asyncio.ensure_future(self._commit(one, offset, note))
        self._commits.add(commit)
        commit.add_done_callback(self._commits.discard)
        await asyncio.wait({commit}, timeout=COMMIT_SECONDS)
        if not commit.done():
            commit.cancel()
            self.break_off("a commit is not answered")
        if not commit.done() or commit.cancelled():
            raise Fenced(f"{self._subscription.topic}/{partition} was taken while it was committed")
        self._judge(commit.exception())
        held.committed = offset
        self._settled.set()
        await self._places.remember(partition, offset)

    async def _commit(self, one: TopicPartition, offset: int, note: str) -> None:
        try:
            await self._consumer.commit({one: (offset, note if self._notes else "")})
        except OffsetMetadataTooLargeError:  # a broker's `offset.metadata.max.bytes` is less than the usual
            self._notes = False
            await self._consumer.commit({one: offset})

    def _judge(self, error: BaseException | None) -> None:
        if error is None:
            return
        if not isinstance(error, CommitFailedError | IllegalStateError):
            self.break_off(error)
        raise Fenced(f"the group refuses the commit: {error}") from error


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def stored(topic: str, partition: int, record: ConsumerRecord | DefaultRecord) -> StoredRecord:
    """`record` as a consumer hands it out, or as it stands in a batch."""
    position = Position(topic, partition, record.offset)
    headers = tuple((name, value or b"") for name, value in record.headers)
    return StoredRecord(position, record.key or b"", record.value, record.timestamp / 1000, headers)
