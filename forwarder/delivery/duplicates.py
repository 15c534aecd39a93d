"""What came twice is delivered once: by the event's id, and by the id that its sender gave it (`eid`).

A copy has the visitor of the first, hence its partition, so a partition's last events are all that is to be known. The
log itself is their record: after a restart or a rebalance the stretch before the committed offset is read again, and
there is no other state that could be lost or disagree (docs/decisions/0008-duplicates.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eventlog.event import Event, UnreadableEvent
from eventlog.log import LogScanner
from forwarder.work import Work


@dataclass(slots=True)
class _Seen:
    """Where each key was first seen, of the newest events: at least `window`, at most twice as many."""

    window: int
    end: int = 0  # offset up to which this knows all
    _newer: dict[int, int] = field(default_factory=dict)
    _older: dict[int, int] = field(default_factory=dict)

    def is_copy(self, event: Event, offset: int) -> bool:
        """False for what is read again: it was first seen at this very offset."""
        key = _key(event)
        first = self._newer.get(key)
        if first is None:
            first = self._older.get(key)
        if first is not None and first < offset:
            return True
        if len(self._newer) >= self.window:
            self._newer, self._older = {}, self._newer
        self._newer[key] = offset
        return False


@dataclass(slots=True, kw_only=True, eq=False)
class Duplicates:
    """One destination's. `topic` is the events'; `window` counts events of a partition, and 0 looks for no copies."""

    topic: str
    scanner: LogScanner
    window: int
    _seen: dict[int, _Seen] = field(init=False, default_factory=dict)

    async def restore(self, partition: int, start: int) -> None:
        """Before the first event, at `start`, of a partition that was just assigned."""
        seen = self._seen.setdefault(partition, _Seen(self.window))
        first = max(seen.end, start - self.window, 0)
        if self.window and first < start:
            async for record in self.scanner.scan(self.topic, ranges={partition: (first, start)}):
                try:
                    event = Event.from_record(record)
                except UnreadableEvent:
                    continue
                if not event.replayed:
                    seen.is_copy(event, record.position.offset)
        seen.end = max(seen.end, start)

    def among(self, partition: int, works: Sequence[Work], end: int) -> set[Work]:
        """The copies of `works`, which stand before the offset `end`. What is replayed is meant to come again."""
        if not self.window:
            return set()
        seen = self._seen[partition]
        seen.end = max(seen.end, end)
        return {work for work in works if not work.event.replayed and seen.is_copy(work.event, work.offset)}


def _key(event: Event) -> int:
    """Of 64 bits, salted anew in each process: among a window's keys none meets another by chance or by intent."""
    if event.clienteventid is None:
        return hash(event.id)
    return hash(f"{event.appkeyname}\0{event.subject}\0{event.clienteventid}")
