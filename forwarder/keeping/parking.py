"""Events that wait apart from the stream, so that no committed offset ever waits for one of them.

The topic `parked` is the truth (key `<event id>:<destination>`, a tombstone ends the wait); the SQLite table is its
index, filled again from the topic at each assignment (store.py). Counted as settled once both hold it. Its `since` and
`due` are of the store's own time: an event waits for so long as somebody could have tried it.
"""

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from base.clock import Clock
from base.reasons import Parked
from eventlog.event import Event
from eventlog.log import LogScanner, Record, StoredRecord
from forwarder.keeping.durable import Durable
from forwarder.keeping.store import Statement, Store, catch_up
from forwarder.work import Waiting, Work

WINDOW: Final = 200  # parked events of one visitor that are planned at a time

_INSERT: Final = """
INSERT INTO parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 + min(?8, ?9)) ON CONFLICT (key) DO UPDATE SET
  part = excluded.part, place = excluded.place, doc = excluded.doc, reason = excluded.reason,
  due = min(since + ?9, excluded.due)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedEvent:
    """The record's JSON. `since` is seconds since the epoch, for people; `partition` and `offset` are the event's own."""

    event: Mapping[str, Any]
    destination: str
    reason: str
    since: float
    partition: int
    offset: int

    @property
    def key(self) -> bytes:
        return f"{self.event['id']}:{self.destination}".encode()

    def to_record(self, topic: str, timestamp: float) -> Record:
        return Record(topic, self.key, orjson.dumps(asdict(self)), timestamp)

    @classmethod
    def from_bytes(cls, body: bytes) -> "ParkedEvent":
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in orjson.loads(body).items() if name in known})


@dataclass(slots=True, kw_only=True, eq=False)
class Parking:
    """One destination's. `slow` is the pause in seconds between two tries of an event that keeps failing; `longest`
    how long an event may wait here at all."""

    destination: str
    topic: str
    store: Store
    durable: Durable
    scanner: LogScanner
    clock: Clock
    slow: float
    longest: float
    _none: bool = field(init=False, default=False)  # known to hold nothing

    async def restore(self) -> None:
        """Before the first event of a partition that was just assigned: its parked ones may be another host's so far.
        They are tried at once: nobody knows what has been mended meanwhile."""
        for part in await self.scanner.bounds(self.topic):
            await catch_up(self.store, self.scanner, self.topic, part, self._apply)
        self._none = False
        await self.hurry()

    def _apply(self, record: StoredRecord) -> list[Statement]:
        if not record.key.endswith(f":{self.destination}".encode()):
            return []
        if record.value is None:
            return [_delete(record.key)]
        return [self._insert(record.key, ParkedEvent.from_bytes(record.value))]

    def _insert(self, key: bytes, parked: ParkedEvent, *, at_once: bool = False) -> Statement:
        """One that stands here already has waited since then."""
        now = self.store.now()
        pause = self.longest if parked.reason == Parked.WAITS_FOR_CONTACT else 0.0 if at_once else self.slow
        values = (parked.event["subject"], parked.partition, parked.offset, orjson.dumps(asdict(parked)))
        return _INSERT, (key.decode(), *values, parked.reason, now, pause, self.longest)

    def holds(self, subject: str) -> bool:
        return bool(self.store.read("SELECT 1 FROM parked WHERE subject = ? LIMIT 1", (subject,)))

    def among(self, subjects: Collection[str]) -> list[str]:
        """Those of them that have parked events."""
        return [subject for subject in subjects if self.holds(subject)] if self.holds_any() else []

    def holds_any(self) -> bool:
        """Asked before each unit, and mostly no."""
        self._none = self._none or not self.store.read("SELECT 1 FROM parked LIMIT 1")
        return not self._none

    def count(self) -> int:
        found: int = self.store.read("SELECT count(*) FROM parked")[0][0]
        return found

    def held_back(self, subject: str) -> bool:
        """The visitor's first event keeps failing and its next try is not due: what follows waits behind it."""
        head = self.store.read(
            "SELECT reason, due FROM parked WHERE subject = ? ORDER BY part, place LIMIT 1", (subject,)
        )
        return bool(head) and head[0][0] == Parked.KEEPS_FAILING and head[0][1] > self.store.now()

    def works(self, subject: str) -> list[Work]:
        """The visitor's first parked events, in order."""
        rows = self.store.read(
            "SELECT doc FROM parked WHERE subject = ? ORDER BY part, place LIMIT ?", (subject, WINDOW)
        )
        return [self.work(doc) for (doc,) in rows]

    def beyond(self, partition: int, start: int) -> list[Work]:
        """Those of a partition whose own offset is not below `start`."""
        rows = self.store.read("SELECT doc FROM parked WHERE part = ? AND place >= ?", (partition, start))
        return [self.work(doc) for (doc,) in rows]

    def hope(self, subject: str) -> list[Work]:
        """One that came behind the others and was never planned: it may bring what those wait for."""
        query = "SELECT doc FROM parked WHERE subject = ? AND reason = ? ORDER BY part, place LIMIT 1"
        return [self.work(doc) for (doc,) in self.store.read(query, (subject, Parked.BEHIND_PARKED))]

    def work(self, doc: bytes) -> Work:
        return _work(ParkedEvent.from_bytes(doc), len(doc), self.clock.monotonic())

    def due(self, partitions: Collection[int], limit: int) -> list[str]:
        """Visitors whose turn in the slow lane has come, of these partitions; who has waited longest comes first."""
        marks = ",".join("?" * len(partitions))
        query = f"SELECT DISTINCT subject FROM parked WHERE due <= ? AND part IN ({marks}) ORDER BY due LIMIT ?"  # noqa: S608 - marks
        return [subject for (subject,) in self.store.read(query, (self.store.now(), *partitions, limit))]

    def expired(self, work: Work) -> bool:
        if work.waiting is None:
            return False
        rows = self.store.read("SELECT since FROM parked WHERE key = ?", (self._key(work),))
        return bool(rows) and self.store.now() >= rows[0][0] + self.longest

    async def park(self, work: Work, reason: Parked, *, due: bool = False) -> None:
        """Durable when it returns. One that is parked already only changes its reason. `due`: its turn is at once."""
        if work.waiting is not None and work.waiting.reason == reason:
            return
        since = self.clock.now() if work.waiting is None else work.waiting.since
        parked = ParkedEvent(
            event=work.event.to_dict(),
            destination=self.destination,
            reason=reason,
            since=since,
            partition=work.partition,
            offset=work.offset,
        )
        await self.durable.put(parked.to_record(self.topic, self.clock.now()))
        await self.store.write(*self._insert(parked.key, parked, at_once=due))
        self._none = False
        work.waiting = Waiting(reason, since)

    async def forget(self, work: Work) -> None:
        """It is delivered, dead or filtered: durably."""
        key = self._key(work).encode()
        await self.durable.put(Record(self.topic, key, None, self.clock.now()))
        await self.store.write(*_delete(key))

    async def drop(self, work: Work) -> None:
        """From here alone: what becomes of it is another's to say."""
        await self.store.write(*_delete(self._key(work).encode()))

    def _key(self, work: Work) -> str:
        return f"{work.event.id}:{self.destination}"

    async def postpone(self, subject: str, seconds: float) -> None:
        """Nothing more now: those of the visitor that are due are tried again after so long, and after all others that
        are due by then."""
        now = self.store.now()
        query = "UPDATE parked SET due = ? WHERE subject = ? AND due <= ?"
        await self.store.write(query, (now + seconds, subject, now))

    def hurry(self) -> Awaitable[None]:
        """Those that keep failing are tried at once: something has changed that may help them."""
        query = "UPDATE parked SET due = ? WHERE reason = ? AND due > ?"
        now = self.store.now()
        return self.store.write(query, (now, Parked.KEEPS_FAILING, now))


def _delete(key: bytes) -> Statement:
    return "DELETE FROM parked WHERE key = ?", (key.decode(),)


def _work(parked: ParkedEvent, size: int, taken: float) -> Work:
    event = Event.from_bytes(orjson.dumps(parked.event))
    waiting = Waiting(Parked(parked.reason), parked.since)
    return Work(event, parked.partition, parked.offset, size, taken, waiting)
