"""Appends to Kafka: idempotent, acknowledged by all in-sync replicas, in hand-made batches.

aiokafka's idempotent producer never recovers from a batch that was refused or has expired (aiokafka#1017), so it is
disposable: whatever goes wrong ends it, and what it still held is settled as LogUnavailable, though Kafka may have it.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.appending import MAX_RECORD_BYTES, tell, too_large
from eventlog.errors import AppendError, LogUnavailable, RecordTooLarge
from eventlog.kafka.connection import Connection
from eventlog.kafka.ending import end_producer
from eventlog.kafka.lane import BATCH_BYTES, Lane, Queued, size
from eventlog.kafka.starting import start_producer
from eventlog.kafka.topics import Shape, ensure_topics
from eventlog.log import LogState, Position, Record, Settled
from eventlog.topics import Topic, topic_named

START_SECONDS = 30.0
LAST_CHANCE_SECONDS = 0.5  # for the batches beside the one that failed: their answer may be on the wire
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class KafkaWriter:
    """Records of one key follow each other: a key has one partition, a partition one batch on the way."""

    def __init__(self, connection: Connection, topics: Iterable[Topic], metrics: LogMetrics, logger: Logger) -> None:
        self._connection = connection
        self._topics = {topic.name: topic for topic in topics}
        self._metrics, self._logger = metrics, logger
        self._timeout = connection.settings.request_timeout
        self._where = f"Kafka at {connection.settings.bootstrap}"  # asked for at each append
        self._producer: AIOKafkaProducer | None = None
        self._shapes: dict[str, Shape] = {}
        self._told: set[str] = set()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._learning: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._trouble: AppendError = connection.away("not connected yet")
        self._tried, self._lost = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._keeper = self._loop.create_task(self._keep_connected())

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        self._in_flight += len(records)
        for record in records:
            bytes_ = size(record)
            if refusal := self._refusal(record, bytes_):
                self._loop.call_soon(self._settle, record, settled, refusal)
            else:
                self._enqueue(Queued(record, settled, bytes_))

    def state(self) -> LogState:
        if self._producer is None:
            return LogState("down", str(self._trouble), self._in_flight)
        return LogState("ok", self._where, self._in_flight)

    async def first_try(self, patience: float) -> None:
        """Returns when the first connection stands or has failed, or after `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), patience)

    async def close(self, deadline: float) -> None:
        self._closing = True
        if self._sending:
            await asyncio.wait(self._sending, timeout=deadline)
        self._lose(LogUnavailable("the log is closed"))
        left = {self._keeper, *self._sending, *self._learning}
        for task in left:
            task.cancel()
        await asyncio.wait(left)

    def _refusal(self, record: Record, bytes_: int) -> AppendError | None:
        shape = self._shapes.get(record.topic)
        if self._producer is None:
            return too_large(record) or self._trouble
        if shape is None:
            return self._learn(record.topic)
        if bytes_ > shape.limit:
            return RecordTooLarge(f"{bytes_} bytes do not fit {record.topic}, which takes {shape.limit}")
        return too_large(record) if bytes_ > MAX_RECORD_BYTES else None

    def _learn(self, name: str) -> LogUnavailable:
        """The spool of several programs holds topics that only one of them was told of."""
        if name not in self._topics:
            self._topics[name] = topic_named(name)
            task = self._loop.create_task(self._look_up(name))
            self._learning.add(task)
            task.add_done_callback(self._learning.discard)
        return self._connection.away(f"{name} is being looked up")

    async def _look_up(self, name: str) -> None:
        try:
            self._shapes |= await ensure_topics(self._connection, [self._topics[name]])
        except LogUnavailable as error:
            del self._topics[name]
            self._logger.warning("kafka_topic_unknown", topic=name, detail=str(error))

    def _enqueue(self, queued: Queued) -> None:
        record = queued.record
        shape = self._shapes[record.topic]
        partition = crc32(record.key) % shape.partitions  # not murmur2: that costs 17 µs in Python
        lane = self._lanes.get((record.topic, partition))
        if lane is None:
            lane = self._lanes[record.topic, partition] = Lane(record.topic, partition, shape.limit)
        lane.queue.append(queued)
        if not lane.busy:
            lane.busy = True
            task = self._loop.create_task(self._send(lane))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, lane: Lane) -> None:
        """Batch after batch until the lane is empty. The task's first step comes after all that is ready now has
        been read and queued: that is the group commit."""
        try:
            while lane.queue and self._producer is not None:
                await self._send_batch(lane, self._producer)
                await asyncio.sleep(0)  # a request's partitions answer together: what all that sets free goes together
        finally:
            lane.busy = False

    async def _send_batch(self, lane: Lane, producer: AIOKafkaProducer) -> None:
        batch = producer.create_batch()
        taken = lane.take(batch)
        begun = self._loop.time()
        try:
            done = await self._acknowledged(producer, batch, lane)
        except asyncio.CancelledError:
            self._settle_all(taken, self._connection.away("it did not acknowledge in time"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever a batch dies of, its records are answered
            self._lose(self._connection.away(error), producer)
            self._settle_all(taken, self._verdict(error, taken))
        else:
            self._metrics.append_seconds.observe(self._loop.time() - begun)
            self._metrics.appended.labels(topic=lane.topic).inc(len(taken))
            self._in_flight -= len(taken)
            known = done.offset >= 0  # a repeated batch may be acknowledged without its offset
            for offset, queued in enumerate(taken, done.offset):
                place = Position(lane.topic, lane.partition, offset if known else -1)
                tell(queued.settled, queued.record, place, self._logger)

    async def _acknowledged(self, producer: AIOKafkaProducer, batch: BatchBuilder, lane: Lane) -> RecordMetadata:
        async with asyncio.timeout(self._timeout):
            sent = await producer.send_batch(batch, lane.topic, partition=lane.partition)
        sent.add_done_callback(lambda late: late.cancelled() or late.exception())  # also when nobody waits any more
        await asyncio.wait({sent}, timeout=self._timeout)
        if not sent.done():
            raise TimeoutError
        return sent.result()

    def _verdict(self, error: Exception, taken: Sequence[Queued]) -> AppendError:
        """The brokers refuse a whole batch for its size. Alone in it, a record is too large; else the topic's limit
        was lowered: it is read again with the next connection, and `append` then knows which are too large."""
        if isinstance(error, MessageSizeTooLargeError) and len(taken) == 1:
            return RecordTooLarge(f"{taken[0].bytes} bytes are more than Kafka takes")
        return self._connection.away(error)

    def _settle_all(self, waiting: Iterable[Queued], error: AppendError) -> None:
        for queued in waiting:
            self._settle(queued.record, queued.settled, error)

    def _settle(self, record: Record, settled: Settled, outcome: Position | AppendError) -> None:
        self._in_flight -= 1
        if isinstance(outcome, AppendError):
            self._metrics.append_failed.labels("unavailable" if outcome.retriable else "too_large").inc()
        tell(settled, record, outcome, self._logger)

    def _lose(self, trouble: AppendError, producer: AIOKafkaProducer | None = None) -> None:
        """No more appends until there is a new producer; what has not been sent is settled now."""
        if self._producer is None or (producer is not None and producer is not self._producer):
            return
        self._producer, self._trouble = None, trouble
        self._lost.set()
        for lane in self._lanes.values():
            waiting, lane.queue = lane.queue, type(lane.queue)()
            self._settle_all(waiting, trouble)

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                producer = await self._connect()
            except LogUnavailable as error:
                self._trouble = error
                self._tried.set()
                if attempt == 0:
                    self._logger.warning("kafka_away", detail=str(error))
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
                continue
            attempt = 0
            try:
                await self._serve(producer)
            finally:
                await end_producer(producer, LAST_CHANCE_SECONDS if self._closing else 0.05)

    async def _serve(self, producer: AIOKafkaProducer) -> None:
        """Until the producer is lost, and the batches it still has on the way are answered."""
        self._lost.clear()
        self._lanes.clear()  # a topic may have been made anew with other partitions
        self._producer = producer
        self._tried.set()
        self._logger.info("kafka_connected", brokers=self._connection.settings.bootstrap)
        await self._lost.wait()
        self._logger.warning("kafka_lost", detail=str(self._trouble))
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=LAST_CHANCE_SECONDS)
            for task in late:
                task.cancel()

    def _tell_of_others(self, shapes: Mapping[str, Shape]) -> None:
        """Once a topic: how long its records stay isn't ours to say."""
        for name in shapes.keys() - self._told:
            if differs := shapes[name].differs:
                self._told.add(name)
                self._logger.warning("kafka_topic_differs", topic=name, detail="; ".join(differs))

    async def _connect(self) -> AIOKafkaProducer:
        await self._connection.knock()
        self._shapes = await ensure_topics(self._connection, self._topics.values())
        self._tell_of_others(self._shapes)
        producer = AIOKafkaProducer(
            **self._connection.client(self._timeout), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                await start_producer(producer)
                for topic in self._shapes:
                    await producer.partitions_for(topic)
        except (KafkaError, OSError, TimeoutError) as error:
            await end_producer(producer, 0.05)
            raise self._connection.away(error) from error
        except asyncio.CancelledError:
            await end_producer(producer, 0.05)
            raise
        return producer
