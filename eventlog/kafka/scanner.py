"""Looks into topics without a group. A consumer a question: it is asked rarely, and there is nothing to close."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from eventlog.errors import LogUnavailable
from eventlog.kafka.committed import offsets_of
from eventlog.kafka.connection import Connection
from eventlog.kafka.ending import end_admin, end_consumer
from eventlog.kafka.member import stored
from eventlog.kafka.search import fetch, find
from eventlog.kafka.starting import start_admin, start_consumer
from eventlog.log import StoredRecord

ANSWER_SECONDS = 15.0
FETCH_RECORDS = 1000

Ranges = Mapping[int, tuple[int, int]]
T = TypeVar("T")


class KafkaScanner:
    """LogUnavailable when Kafka can't be asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def scan(
        self,
        topic: str,
        since: float | None = None,
        ranges: Ranges | None = None,
        *,
        until: float | None = None,
        containing: bytes | None = None,
    ) -> AsyncGenerator[StoredRecord, None]:
        async with self._consumer() as consumer:
            bounds = _narrowed(await self._within(_bounds(consumer, topic)), ranges)
            bounds = await self._within(_in_time(consumer, topic, bounds, since, until))
            for partition, (first, end) in bounds.items():
                one = TopicPartition(topic, partition)
                reading = self._read(consumer, one, first, end)
                if containing:
                    reading = self._search(consumer, one, first, end, containing)
                async for record in reading:
                    if record.is_asked_for(since, until, None):
                        yield record

    async def bounds(self, topic: str) -> Ranges:
        async with self._consumer() as consumer:
            return await self._within(_bounds(consumer, topic))

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        admin = AIOKafkaAdminClient(**self._connection.client(ANSWER_SECONDS))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await start_admin(admin)
                return await offsets_of(admin, group, topic)
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._connection.away(error) from error
        finally:
            await end_admin(admin)

    async def _read(
        self, consumer: AIOKafkaConsumer, one: TopicPartition, first: int, end: int
    ) -> AsyncGenerator[StoredRecord, None]:
        if first >= end:
            return
        consumer.assign([one])
        consumer.seek(one, first)
        position = first
        while position < end:  # compaction leaves holes, also before the end: the position tells, not the last record
            fetched = await self._within(
                consumer.getmany(one, timeout_ms=int(ANSWER_SECONDS * 500), max_records=FETCH_RECORDS)
            )
            for record in fetched.get(one, ()):
                if record.offset < end:
                    yield stored(one.topic, one.partition, record)
            moved = await self._within(consumer.position(one))
            if moved == position:
                raise self._stopped(one, position, end)
            position = moved

    async def _search(
        self, consumer: AIOKafkaConsumer, one: TopicPartition, first: int, end: int, needle: bytes
    ) -> AsyncGenerator[StoredRecord, None]:
        position = first
        while position < end:
            fetched = await self._within(fetch(consumer._client, one, position))  # noqa: SLF001 - as _bounds
            moved, found = find(one, fetched, needle)
            for record in found:
                if position <= record.position.offset < end:
                    yield record
            if moved <= position:
                raise self._stopped(one, position, end)
            position = moved

    def _stopped(self, one: TopicPartition, position: int, end: int) -> LogUnavailable:
        return self._connection.away(f"{one.topic}/{one.partition} stops at {position}, before its end {end}")

    @contextlib.asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        await self._connection.knock()
        consumer = AIOKafkaConsumer(
            **self._connection.client(ANSWER_SECONDS),
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=20,  # at the end of one partition it would keep the next one waiting
        )
        try:
            await self._within(start_consumer(consumer))
            yield consumer
        finally:
            await end_consumer(consumer, 1.0)

    async def _within(self, asked: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asked
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._connection.away(error) from error


async def _bounds(consumer: AIOKafkaConsumer, topic: str) -> Ranges:
    if topic not in await consumer.topics():
        return {}
    consumer._client.add_topic(topic)  # noqa: SLF001 - else only what is assigned is known, and asking would assign
    partitions = [TopicPartition(topic, number) for number in sorted(await consumer._client._wait_on_metadata(topic))]  # noqa: SLF001
    first, end = await asyncio.gather(consumer.beginning_offsets(partitions), consumer.end_offsets(partitions))
    return {one.partition: (first[one], end[one]) for one in partitions}


def _narrowed(bounds: Ranges, ranges: Ranges | None) -> Ranges:
    if ranges is None:
        return bounds
    return {
        partition: (max(first, ranges[partition][0]), min(end, ranges[partition][1]))
        for partition, (first, end) in bounds.items()
        if partition in ranges
    }


async def _in_time(
    consumer: AIOKafkaConsumer, topic: str, bounds: Ranges, since: float | None, until: float | None
) -> Ranges:
    """Asked for all partitions at once: each question is a way there and back."""
    ends = {TopicPartition(topic, partition): end for partition, (_, end) in bounds.items()}
    after, before = await asyncio.gather(*(_first_since(consumer, ends, moment) for moment in (since, until)))
    return {
        one.partition: (max(bounds[one.partition][0], after.get(one, 0)), min(end, before.get(one, end)))
        for one, end in ends.items()
    }


async def _first_since(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], moment: float | None
) -> dict[TopicPartition, int]:
    if moment is None or not ends:
        return {}
    found = await consumer.offsets_for_times(dict.fromkeys(ends, max(0, int(moment * 1000))))
    return {one: ends[one] if at is None else int(at.offset) for one, at in found.items()}
