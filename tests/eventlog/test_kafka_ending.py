"""aiokafka's clients end in every state, and who ends one lives on."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from eventlog.kafka.ending import end_consumer

pytestmark = pytest.mark.anyio


class Gone(AIOKafkaConsumer):  # type: ignore[misc]
    """Its coordination was cancelled from within, as aiokafka does when the coordinator is gone: then it waits for it."""

    async def stop(self) -> None:
        self._closed = True  # as its own does first
        coordination = asyncio.ensure_future(asyncio.sleep(60))
        coordination.cancel()
        await coordination


async def test_what_aiokafka_cancels_within_cancels_nobody_who_ends_it() -> None:
    await end_consumer(Gone(bootstrap_servers="127.0.0.1:1"), 5.0)


async def test_who_is_cancelled_meanwhile_hears_of_it() -> None:
    ending = asyncio.ensure_future(end_consumer(Gone(bootstrap_servers="127.0.0.1:1"), 5.0))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
