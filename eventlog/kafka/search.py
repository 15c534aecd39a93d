"""Looks for bytes in a partition as the brokers send it: nothing is taken apart but where the bytes may stand.

A consumer makes an object of each record, which is nearly all that a search would take.
"""

from typing import Final

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from eventlog.kafka.member import stored
from eventlog.log import StoredRecord

FETCH_BYTES: Final = 8 * 1024 * 1024
FETCH_SECONDS: Final = 5.0  # what stands before the end is there at once
_READ_UNCOMMITTED: Final = 0  # as all our readers do; nobody writes in transactions


async def fetch(client: AIOKafkaClient, one: TopicPartition, position: int) -> bytes:
    """Batches from the one that holds `position` on, and a part of another. KafkaError."""
    leader = client.cluster.leader_for_partition(one)
    if leader is None or leader < 0:
        raise LeaderNotAvailableError(f"{one.topic}/{one.partition}")
    wanted = [(one.topic, [(one.partition, position, FETCH_BYTES)])]
    request = FetchRequest(int(FETCH_SECONDS * 1000), 1, FETCH_BYTES, _READ_UNCOMMITTED, wanted)
    reply = await client.send(leader, request)
    ((_, ((_, code, *_, records),)),) = reply.topics
    if (error := for_code(code)) is not NoError:
        raise error(f"{one.topic}/{one.partition} at {position}")
    return records or b""


def find(one: TopicPartition, fetched: bytes, needle: bytes) -> tuple[int, list[StoredRecord]]:
    """The offset after the last whole batch (0: there is none), and the records with the needle in their value."""
    batches, anywhere, end, found = MemoryRecords(fetched), needle in fetched, 0, []
    while (batch := batches.next_batch()) is not None:
        end = batch.next_offset
        packed = getattr(batch, "compression_type", True)  # one of before Kafka 0.11 doesn't say
        if (anywhere or packed) and not batch.is_control_batch:
            hits = [record for record in batch if needle in (record.value or b"")]
            found += [stored(one.topic, one.partition, record) for record in hits]
    return end, found
