"""A sender that goes on whatever happens, and remembers what it was told: the oracle of the log's faults."""

import asyncio
from collections import Counter

from eventlog.errors import AppendError
from eventlog.log import LogWriter, Position, Record
from eventlog.topics import Topic
from tests.support.kafka_log import records


class Sender:
    def __init__(self, writer: LogWriter, topic: Topic) -> None:
        self._writer, self._topic = writer, topic
        self._sent = 0
        self.told: Counter[bytes] = Counter()  # how often each number was settled
        self.durable: set[bytes] = set()
        self.refused: list[AppendError] = []

    async def send(self, count: int, pause: float = 0.0) -> None:
        """`count` records in groups of ten, one group after the other, without waiting for any."""
        for _ in range(count // 10):
            numbers = range(self._sent, self._sent + 10)
            self._sent += 10
            self._writer.append(records(self._topic, numbers), self._settled)
            await asyncio.sleep(pause)

    async def until_told(self, seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.told) < self._sent:
                await asyncio.sleep(0.01)

    def _settled(self, record: Record, outcome: Position | AppendError) -> None:
        assert record.value is not None
        self.told[record.value] += 1
        if isinstance(outcome, AppendError):
            self.refused.append(outcome)
        else:
            self.durable.add(record.value)
