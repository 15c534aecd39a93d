"""Asks Kafka, and what we remember, for all that `begin` decides by."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from base.clock import Clock
from eventlog.kafka.beginnings import Beginning, Remembered, Starts, begin
from eventlog.log import Start

Offsets = dict[TopicPartition, int]
_NONE: Final = OffsetAndMetadata(-1, "")


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whose reading this is. `opened` (seconds since the epoch) ranks the members of a group: of a partition too few,
    it is the latest who waits."""

    group: str
    topic: str
    start: Start
    opened: float


class Places:
    def __init__(self, consumer: AIOKafkaConsumer, subscription: Subscription, starts: Starts, clock: Clock) -> None:
        self._consumer, self._subscription, self._starts, self._clock = consumer, subscription, starts, clock

    async def find(self, partitions: list[TopicPartition]) -> list[tuple[TopicPartition, Beginning]]:
        """A first start is committed, here and at Kafka: a restart before its owner's first commit is none."""
        earliest: Offsets = await self._consumer.beginning_offsets(partitions)
        first_starts = await self._first_starts(partitions, earliest)
        committed = await self._consumer._coordinator.fetch_committed_offsets(partitions)  # noqa: SLF001 - with notes
        remembered = await asyncio.to_thread(self._starts.recall, self._subscription.group, self._subscription.topic)
        found = []
        for one in partitions:
            mine, known = remembered.get(one.partition), committed.get(one, _NONE)
            held = None if known.offset < 0 else known.offset
            at = begin(held, mine, first_starts[one], earliest[one], self._clock.now())
            at = replace(at, note=known.metadata if at.committed == held else "")
            if at.committed is None:
                await self._consumer.commit({one: at.position})
                await self.remember(one.partition, at.position)
            found.append((one, at))
        return found

    async def remember(self, partition: int, offset: int) -> None:
        group, topic = self._subscription.group, self._subscription.topic
        seen = Remembered(offset, self._clock.now())
        await asyncio.to_thread(self._starts.remember, group, topic, partition, seen)

    async def _first_starts(self, partitions: list[TopicPartition], earliest: Offsets) -> Offsets:
        start = self._subscription.start
        if start == "earliest":
            return earliest
        ends: Offsets = await self._consumer.end_offsets(partitions)
        if start == "now":
            return ends
        times = await self._consumer.offsets_for_times(dict.fromkeys(partitions, max(0, int(start * 1000))))
        return {one: times[one].offset if times[one] else ends[one] for one in partitions}
