"""What a group has committed, asked of its coordinator; and never "nothing" of one that has not read it yet."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

OFFSETS_TOPIC: Final = "__consumer_offsets"
PATIENCE: Final = 2.0  # seconds: a broker that came up reads a small topic in less, and makes a new one
PAUSE: Final = 0.1
_PASSING: Final = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


async def offsets_of(admin: AIOKafkaAdminClient, group: str, topic: str) -> Mapping[int, int]:
    """partition -> offset. KafkaError when the coordinator does not know in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        try:
            return await _ask(admin, group, topic)
        except _PASSING:
            if loop.time() >= until:
                raise
            await asyncio.sleep(PAUSE)


async def _ask(admin: AIOKafkaAdminClient, group: str, topic: str) -> Mapping[int, int]:
    """aiokafka's own question overlooks the error of the whole answer, which then reads as if nobody had committed."""
    try:
        coordinator = await admin.find_coordinator(group)
    except GroupCoordinatorNotAvailableError:
        if OFFSETS_TOPIC in await admin.list_topics():
            raise
        return {}  # nobody has committed to this Kafka yet
    answer = await admin._send_request(OffsetFetchRequest(group, None), coordinator)  # noqa: SLF001 - it has no other
    for code in (answer.error_code, *(code for _, parts in answer.topics for *_, code in parts)):
        if code:
            raise for_code(code)(f"no offsets of the group {group}")
    parts = next((parts for name, parts in answer.topics if name == topic), ())
    return {partition: offset for partition, offset, *_ in parts if offset >= 0}
