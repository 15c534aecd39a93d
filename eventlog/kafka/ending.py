"""The end of an aiokafka client, whatever state it is in.

Its own `stop()` waits for what may never come (aiokafka#1101: batches that can't be sent, a coordinator that is
gone, a socket whose other side is frozen). So it gets a moment, and then its tasks are cancelled and its sockets cut.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from base.tasks import is_wanted_to_end

CUT_SECONDS = 2.0


async def end_producer(producer: AIOKafkaProducer, patience: float) -> None:
    """`patience` in seconds: what is queued in it may still be sent."""
    await uncut(_end_producer(producer, patience))


async def end_consumer(consumer: AIOKafkaConsumer, patience: float) -> None:
    """`patience` in seconds: it may still leave its group, so that its partitions go to others at once."""
    await uncut(_end_consumer(consumer, patience))


async def end_admin(admin: AIOKafkaAdminClient) -> None:
    await uncut(_end_admin(admin))


async def _end_producer(producer: AIOKafkaProducer, patience: float) -> None:
    if not await _within(producer.stop(), patience):
        await _cut(producer.client, producer, producer._sender, producer._message_accumulator)  # noqa: SLF001


async def _end_consumer(consumer: AIOKafkaConsumer, patience: float) -> None:
    if not await _within(consumer.stop(), patience):
        await _cut(consumer._client, consumer, consumer._coordinator, consumer._fetcher)  # noqa: SLF001


async def _end_admin(admin: AIOKafkaAdminClient) -> None:
    if not await _within(admin.close(), CUT_SECONDS):
        await _cut(admin._client, admin)  # noqa: SLF001


async def uncut(ending: Coroutine[Any, Any, None]) -> None:
    """An end is bounded, and comes also when its caller is cancelled meanwhile: half ended, a client leaks."""
    task = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()


async def _within(stopping: Awaitable[None], patience: float) -> bool:
    try:
        async with asyncio.timeout(patience):
            await stopping
    except asyncio.CancelledError:
        if is_wanted_to_end():
            raise
        return False
    except Exception:  # noqa: BLE001 - a client that is broken may raise anything while it stops: then it is cut
        return False
    return True


async def _cut(client: Any, *owners: object) -> None:
    for connection in client._conns.values():  # noqa: SLF001
        if connection._writer is not None:  # noqa: SLF001
            connection._writer.transport.abort()  # noqa: SLF001 - close() would wait until a frozen peer has read all
    await _end_tasks_of(client, *owners)
    await _within(client.close(), CUT_SECONDS)


async def _end_tasks_of(*owners: object) -> None:
    """Cancels until they have ended: aiokafka's loops take a first cancel as a wish to finish their work."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CUT_SECONDS):
            while tasks := [task for task in asyncio.all_tasks() if _runs_for(task, owners)]:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=0.05)


def _runs_for(task: asyncio.Task[Any], owners: tuple[object, ...]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    owner = frame.f_locals.get("self") if frame is not None and task is not asyncio.current_task() else None
    return owner is not None and any(owner is one for one in owners)  # one that never started has no coordinator
