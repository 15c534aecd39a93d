"""How many events a second one process makes durable in Kafka: our batches beside aiokafka's `send`.

`python -m loadtests.kafka_appends HOST:PORT` with a broker on loopback; each of N clients appends its next event when
the last is durable, as a visitor's request does. 380 bytes an event, six partitions, acks=all, 5,000 keys.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.errors import AppendError
from eventlog.event import RECORD_HEADERS
from eventlog.kafka.connection import Connection
from eventlog.kafka.topics import ensure_topics
from eventlog.kafka.writer import KafkaWriter
from eventlog.log import Position, Record
from eventlog.settings import KafkaSettings
from eventlog.topics import Topic

VALUE = os.urandom(380)


async def with_writer(bootstrap: str, topic: Topic, clients: int, count: int) -> None:
    connection = Connection(KafkaSettings.model_validate({"bootstrap": bootstrap}))
    writer = KafkaWriter(connection, [topic], log_metrics(CollectorRegistry()), quiet_logger())
    await writer.first_try(10.0)
    numbers = iter(range(count))
    done = asyncio.get_running_loop().create_future()
    left = count

    def send_next() -> None:
        if (number := next(numbers, None)) is not None:
            key = b"%d" % (number % 5000)
            writer.append((Record(topic.name, key, VALUE, time.time(), RECORD_HEADERS),), settled)

    def settled(_: Record, outcome: Position | AppendError) -> None:
        nonlocal left
        if isinstance(outcome, AppendError):
            raise outcome
        left -= 1
        send_next()
        if not left:
            done.set_result(None)

    for _ in range(clients):
        send_next()
    await done
    await writer.close(5.0)


async def with_send(bootstrap: str, topic: Topic, clients: int, count: int) -> None:
    connection = Connection(KafkaSettings.model_validate({"bootstrap": bootstrap}))
    await ensure_topics(connection, [topic])
    producer = AIOKafkaProducer(**connection.client(5.0), acks="all", enable_idempotence=True)
    await producer.start()
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            key, headers = b"%d" % (number % 5000), list(RECORD_HEADERS)
            await (await producer.send(topic.name, VALUE, key=key, headers=headers))

    await asyncio.gather(*(client() for _ in range(clients)))
    await producer.stop()


async def measure(
    name: str, run: Callable[[str, Topic, int, int], Awaitable[None]], bootstrap: str, clients: int, count: int
) -> None:
    topic = Topic(f"bench-{uuid4()}", as_events=True)
    began, cpu = time.perf_counter(), time.process_time()
    await run(bootstrap, topic, clients, count)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{name:8} {clients:5} clients  {count / seconds:8.0f} events/s  {cpu / count * 1e6:6.1f} µs of CPU an event")


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("kafka")
    arguments.add_argument("--count", type=int, default=100_000)
    asked = arguments.parse_args()
    for clients in (64, 256, 2000):
        await measure("send", with_send, asked.kafka, clients, asked.count)
        await measure("batches", with_writer, asked.kafka, clients, asked.count)


if __name__ == "__main__":
    asyncio.run(main())
