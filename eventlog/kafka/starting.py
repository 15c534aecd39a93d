"""The start of an aiokafka client, so that one that is given up meanwhile leaves nothing open.

Cancelled while it asks a first broker for the cluster, aiokafka forgets the connection on which it asks
(`AIOKafkaClient.bootstrap`). So who cancels waits for that answer, ASK_SECONDS at most, and for no other.
"""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from eventlog.kafka.ending import CUT_SECONDS, uncut

ASK_SECONDS = 2.0


async def start_consumer(consumer: AIOKafkaConsumer) -> None:
    await _start(consumer, consumer._client)  # noqa: SLF001


async def start_producer(producer: AIOKafkaProducer) -> None:
    await _start(producer, producer.client)


async def start_admin(admin: AIOKafkaAdminClient) -> None:
    await _start(admin, admin._client)  # noqa: SLF001


async def _start(owner: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient, client: AIOKafkaClient) -> None:
    starting: asyncio.Future[None] = asyncio.ensure_future(owner.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await uncut(_give_up(starting, client))
        raise


async def _give_up(starting: asyncio.Future[None], client: AIOKafkaClient) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + ASK_SECONDS
    while not starting.done() and client._sync_task is None and loop.time() < until:  # noqa: SLF001 - set once it knows
        await asyncio.wait({starting}, timeout=0.01)
    starting.cancel()
    await asyncio.wait({starting}, timeout=CUT_SECONDS)
    if starting.done() and not starting.cancelled():
        starting.exception()  # asked for: nobody else will
