"""An aiokafka client that is given up while it starts leaves no connection open."""

import asyncio
import gc
import random
import socket
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from eventlog.kafka.ending import end_admin, end_consumer, end_producer
from eventlog.kafka.starting import start_admin, start_consumer, start_producer
from tests.support.kafka import Kafka

pytestmark = [pytest.mark.anyio, pytest.mark.kafka]

TIMES = 100


async def give_up_consumer(bootstrap: str, after: float) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await cancelled(start_consumer(consumer), after)
    await end_consumer(consumer, 1.0)


async def give_up_producer(bootstrap: str, after: float) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await cancelled(start_producer(producer), after)
    await end_producer(producer, 1.0)


async def give_up_admin(bootstrap: str, after: float) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await cancelled(start_admin(admin), after)
    await end_admin(admin)


async def cancelled(start: Coroutine[Any, Any, None], after: float) -> None:
    starting = asyncio.ensure_future(start)
    await asyncio.sleep(after)
    starting.cancel()
    await asyncio.wait({starting})


@pytest.mark.parametrize("give_up", [give_up_consumer, give_up_producer, give_up_admin])
async def test_a_start_that_is_cancelled_leaves_nothing_open(
    kafka: Kafka, give_up: Callable[[str, float], Awaitable[None]]
) -> None:
    """At any moment; with aiokafka's own `start()` one of eight was left."""
    dice = random.Random(1)
    gc.collect()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(TIMES):
            await give_up(kafka.bootstrap, dice.random() * 0.02)
        gc.collect()
    assert [str(one.message) for one in told if "AIOKafka" in str(one.message)] == []


async def test_nobody_waits_for_a_broker_that_does_not_answer() -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # the system lets in who comes, and nobody reads
    port = silent.getsockname()[1]
    consumer = AIOKafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await start_consumer(consumer)
    await end_consumer(consumer, 1.0)
    silent.close()
