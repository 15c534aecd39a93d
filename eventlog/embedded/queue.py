"""What waits for the disk, taken from one thread by another, as much at once as makes a group."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from eventlog.log import Record, Settled

_GROUP_BYTES: Final = 4 * 1024 * 1024


@dataclass(eq=False, slots=True)
class Entry:
    records: Sequence[Record]
    settled: Settled


@dataclass(slots=True)
class Group:
    """`topics`: the same records in the same order, by topic."""

    entries: list[Entry] = field(default_factory=list)
    topics: dict[str, list[Record]] = field(default_factory=dict)
    bytes: int = 0

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        for record in entry.records:
            self.bytes += len(record.value or b"")
            self.topics.setdefault(record.topic, []).append(record)


class GroupQueue:
    def __init__(self) -> None:
        self._queue: SimpleQueue[Sequence[Entry] | None] = SimpleQueue()
        self._left: deque[Entry] = deque()  # taken out of the queue, but not into a group any more
        self._ended = False

    def put(self, entries: Sequence[Entry]) -> None:
        self._queue.put(entries)

    def end(self) -> None:
        """What was put before is still taken."""
        self._queue.put(None)

    def take(self, seconds: float | None) -> Group | None:
        """All that waits, at least one; an empty group when nothing came within `seconds`; None after the end."""
        group = Group()
        try:
            while not self._ended:
                while self._left:
                    group.add(self._left.popleft())
                    if group.bytes >= _GROUP_BYTES:
                        return group
                entries = self._queue.get_nowait() if group.entries else self._queue.get(timeout=seconds)
                self._ended = entries is None
                self._left.extend(entries or ())
        except Empty:
            return group
        return group if group.entries else None
