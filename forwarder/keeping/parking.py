"""Events that wait apart from the stream, so that no committed offset ever waits for one of them.

The topic `parked` is the truth (key `<event id>:<destination>`, a tombstone ends the wait); the SQLite table is its
index, filled again from the topic at each assignment (store.py). Counted as settled once both hold it. Its `since` and
`due` are of the store's own time: an event waits for so long as somebody could have tried it.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from msgspec.json import Decoder

from base.clock import Clock
from base.reasons import Parked
from base.values import Value
from eventlog.event import Event
from eventlog.log import LogScanner, Record, StoredRecord
from forwarder.keeping.durable import Durable
from forwarder.keeping.store import Row, Statement, Store, catch_up
from forwarder.work import Waiting, Work

WINDOW: Final = 200  # parked events of one visitor that are planned at a time
LOOK_SECONDS: Final = 1.0  # between two counts of what is parked where there was no room for more

_INSERT: Final = """
INSERT INTO parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 + min(?8, ?9)) ON CONFLICT (key) DO UPDATE SET
  part = excluded.part, place = excluded.place, doc = excluded.doc, reason = excluded.reason,
  since = CASE reason WHEN 'late' THEN excluded.since ELSE since END,
  due = min(CASE reason WHEN 'late' THEN excluded.since ELSE since END + ?9, excluded.due)
"""
_AMONG: Final = f"""
SELECT value,
  (SELECT count(*) FROM (SELECT 1 FROM parked WHERE subject = value LIMIT {WINDOW + 1})),
  (SELECT sum(size) FROM (SELECT length(doc) AS size FROM parked WHERE subject = value LIMIT {WINDOW + 1})),
  EXISTS (SELECT 1 FROM parked INDEXED BY parked_other
    WHERE subject = value AND reason <> 'late' AND reason <> 'behind_parked')
FROM json_each(?) WHERE EXISTS (SELECT 1 FROM parked WHERE subject = value)
"""  # noqa: S608 - a number of ours
_FREE: Final = """subject NOT IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
  SELECT 1 FROM parked o INDEXED BY parked_other WHERE o.subject = parked.subject AND o.reason <> 'late')"""
_DELETE: Final = "DELETE FROM parked WHERE key = ?"
_IN_ORDER: Final = "ORDER BY part, place LIMIT ?"


class ParkedEvent(Value, frozen=True):
    """The record's JSON. `since` is seconds since the epoch, for people; `partition` and `offset` are the event's own."""

    event: Event
    destination: str
    reason: str
    since: float
    partition: int
    offset: int

    @property
    def key(self) -> str:
        return f"{self.event.id}:{self.destination}"

    def to_bytes(self) -> bytes:
        body = {name: getattr(self, name) for name in self.__struct_fields__}
        return orjson.dumps({**body, "event": orjson.Fragment(self.event.to_bytes())})

    @classmethod
    def from_bytes(cls, body: bytes) -> "ParkedEvent":
        """What a newer version added is passed over."""
        parked: ParkedEvent = _decode(body)
        return parked


_decode: Final = Decoder(ParkedEvent).decode


class Standing(Value, frozen=True):
    """One visitor's parked events; of more than WINDOW, one more. `held`: one of them waits for what may not come soon."""

    events: int
    bytes: int
    held: bool

    @property
    def comes_along(self) -> bool:
        """With what is new."""
        return not self.held and self.events <= WINDOW


@dataclass(slots=True, kw_only=True, eq=False)
class Parking:
    """One destination's. `slow` is the pause in seconds between two tries of an event that keeps failing; `longest`
    how long an event may wait here at all; `most_late`: with so many parked, those that are late find no room."""

    destination: str
    topic: str
    store: Store
    durable: Durable
    scanner: LogScanner
    clock: Clock
    slow: float
    longest: float
    most_late: int
    _none: bool = field(init=False, default=False)  # known to hold nothing
    _room: int = field(init=False, default=0)  # for late ones, at least
    _counted: float = field(init=False, default=-LOOK_SECONDS)  # monotonic

    async def restore(self) -> None:
        """Before the first event of a partition that was just assigned: its parked ones may be another host's so far.
        They are tried at once: nobody knows what has been mended meanwhile."""
        for part in await self.scanner.bounds(self.topic):
            await catch_up(self.store, self.scanner, self.topic, part, self._apply)
        self._none = False
        await self.hurry()

    def _apply(self, record: StoredRecord) -> list[Statement]:
        key = record.key.decode()
        if not key.endswith(f":{self.destination}"):
            return []
        if record.value is None:
            return [(_DELETE, (key,))]
        return [(_INSERT, self._row(ParkedEvent.from_bytes(record.value), record.value))]

    def _row(self, parked: ParkedEvent, doc: bytes, *, at_once: bool = False) -> Row:
        """One that stands here already has waited since then, unless it was only late."""
        waits = parked.reason in (Parked.WAITS_FOR_CONTACT, Parked.LATE)  # for what the others' turns know nothing of
        pause = self.longest if waits else 0.0 if at_once else self.slow
        place = (parked.key, parked.event.subject, parked.partition, parked.offset)
        return (*place, doc, parked.reason, self.store.now(), pause, self.longest)

    def among(self, subjects: Collection[str]) -> dict[str, Standing]:
        """What those of them have parked who have any."""
        if not self.holds_any():
            return {}
        found = self.store.read(_AMONG, (_list(subjects),))
        return {subject: Standing(events, size, bool(held)) for subject, events, size, held in found}

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
        return self._works("subject = ?", subject, WINDOW)

    def works_of(self, subjects: Collection[str]) -> list[Work]:
        """All of theirs, each visitor's in order."""
        return self._works("subject IN (SELECT value FROM json_each(?))", _list(subjects), -1)

    def beyond(self, partition: int, start: int) -> list[Work]:
        """Those of a partition whose own offset is not below `start`."""
        late = self._works("reason = 'late' AND part = ? AND place >= ?", partition, start, -1)
        return late + self._works("reason <> 'late' AND part = ? AND place >= ?", partition, start, -1)

    def hope(self, subject: str) -> list[Work]:
        """One that came behind the others and was never planned: it may bring what those wait for."""
        return self._works("subject = ? AND reason = ?", subject, Parked.BEHIND_PARKED, 1)

    def late(self, partitions: Collection[int], busy: Collection[str], limit: int) -> list[Work]:
        """The first of these partitions that are only late, but for those of busy visitors, and of whom something waits for
        another reason."""
        marks = ",".join("?" * len(partitions))
        return self._works(f"reason = 'late' AND part IN ({marks}) AND {_FREE}", *partitions, _list(busy), limit)

    def _works(self, where: str, *values: str | int) -> list[Work]:
        rows = self.store.read(f"SELECT doc FROM parked WHERE {where} {_IN_ORDER}", values)  # noqa: S608 - ours
        return [self.work(doc) for (doc,) in rows]

    def work(self, doc: bytes) -> Work:
        parked = ParkedEvent.from_bytes(doc)
        waiting = Waiting(Parked(parked.reason), parked.since)
        return Work(parked.event, parked.partition, parked.offset, len(doc), self.clock.monotonic(), waiting)

    def due(self, partitions: Collection[int], limit: int) -> list[str]:
        """Visitors whose turn in the slow lane has come, of these partitions; who has waited longest comes first. Those of
        whom all is only late have none."""
        marks = ",".join("?" * len(partitions))
        where = f"due <= ? AND reason <> 'late' AND part IN ({marks})"
        query = f"SELECT DISTINCT subject FROM parked WHERE {where} ORDER BY due LIMIT ?"  # noqa: S608 - marks
        return [subject for (subject,) in self.store.read(query, (self.store.now(), *partitions, limit))]

    def expired(self, work: Work) -> bool:
        if work.waiting is None or work.waiting.reason is Parked.LATE:
            return False
        rows = self.store.read("SELECT since FROM parked WHERE key = ?", (self._key(work),))
        return bool(rows) and self.store.now() >= rows[0][0] + self.longest

    def has_room(self, events: int) -> bool:
        """For so many late ones more. Counted anew now and then: it takes a look at all of them."""
        now = self.clock.monotonic()
        if self._room < events and now - self._counted >= LOOK_SECONDS:
            self._counted, self._room = now, self.most_late - self.count()
        return self._room >= events

    async def park(self, works: Mapping[Work, Parked], *, due: bool = False) -> None:
        """Durable when it returns. Those that are parked already only change their reason. `due`: their turn is at once."""
        changed = {work: why for work, why in works.items() if work.waiting is None or work.waiting.reason != why}
        if not changed:
            return
        now = self.clock.now()
        found = [self._parked(work, reason, now) for work, reason in changed.items()]
        docs = [parked.to_bytes() for parked in found]
        self._room -= len(found)
        await self.durable.put_all(
            [Record(self.topic, parked.key.encode(), doc, now) for parked, doc in zip(found, docs, strict=True)]
        )
        await self.store.write(
            _INSERT, *[self._row(parked, doc, at_once=due) for parked, doc in zip(found, docs, strict=True)]
        )
        self._none = False
        for (work, reason), parked in zip(changed.items(), found, strict=True):
            work.waiting = Waiting(reason, parked.since)

    def _parked(self, work: Work, reason: Parked, now: float) -> ParkedEvent:
        since = now if work.waiting is None else work.waiting.since
        return ParkedEvent(work.event, self.destination, reason, since, work.partition, work.offset)

    async def forget(self, works: Sequence[Work]) -> None:
        """They are delivered, dead or filtered: durably."""
        if works:
            keys, now = [self._key(work) for work in works], self.clock.now()
            await self.durable.put_all([Record(self.topic, key.encode(), None, now) for key in keys])
            await self.store.write(_DELETE, *[(key,) for key in keys])

    async def drop(self, work: Work) -> None:
        """From here alone: what becomes of it is another's to say."""
        await self.store.write(_DELETE, (self._key(work),))

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


def _list(texts: Collection[str]) -> str:
    """For SQL's json_each."""
    return orjson.dumps(list(texts)).decode()
