"""Where something of a person stands: every topic is read, again and again until nothing new is learned of who they are."""

import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from eventlog.event import Event, UnreadableEvent
from eventlog.log import LogScanner, Record, StoredRecord
from eventlog.topics import Topics
from forwarder.keeping.dead_letters import DeadLetter
from forwarder.keeping.parking import ParkedEvent
from ochn.erasure.person import Person
from ochn.erasure.traces import Traces

Told = Callable[[int], None]  # records that were read since the last time
_ID: Final = re.compile(rb'"id":"([0-9a-f-]{36})"')  # an event's own stands before its data
_EVERY: Final = 1000


@dataclass(slots=True)
class Holdings:
    """`keys`: topic -> keys of what is to be erased there. `cut`: dead letters of others, without what they hold of the
    person. `newest` in seconds since the epoch: when the last of `events` was logged."""

    events: int = 0
    newest: float = 0.0
    ids: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)  # of these, those that neither their visitor nor their person tells
    keys: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    cut: dict[bytes, DeadLetter] = field(default_factory=dict)
    known_files: set[str] = field(default_factory=set)  # of `Search.beside`, whose event the log still has

    def add(self, event: Event, person: Person) -> None:
        self.ids.add(event.id)
        if event.subject not in person.whole and event.person not in person.uids:
            self.apart.add(event.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """`facts`: the changelogs' topics. `tenants` by app key's name. `beside`: ids of events that files are kept of."""

    scanner: LogScanner
    topics: Topics
    facts: tuple[str, ...]
    tenants: Mapping[str, str]
    beside: frozenset[str]
    told: Told

    async def size(self) -> int:
        """Records that one pass reads."""
        return sum([end - first for name in self._names() for first, end in (await self._bounds(name)).values()])

    async def look(self, person: Person) -> Holdings:
        """Two passes at least: what a device sent before its person was known is theirs too."""
        while True:
            found = Holdings()
            await self._events(person, found)
            await self._compacted(person, found)
            if not person.settle():
                found.cut = await self._letters_of_others(person, found)
                return found

    async def look_again(self, person: Person, found: Holdings) -> None:
        """What stands in the compacted topics by now."""
        found.keys.clear()
        await self._compacted(person, found)
        found.cut = await self._letters_of_others(person, found)

    def _names(self) -> tuple[str, ...]:
        topics = self.topics
        return (
            *(topics.events.name, topics.quarantine.name, topics.parked.name, topics.dead_letters.name),
            *self.facts,
        )

    async def _bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return await self.scanner.bounds(topic)

    async def _events(self, person: Person, found: Holdings) -> None:
        marks = person.marks()
        async for record in self._records(self.topics.events.name):
            value = record.value or b""
            if self.beside and (named := _ID.search(value)) and (event_id := named[1].decode()) in self.beside:
                found.known_files.add(event_id)
            if any(mark in value for mark in marks) and (event := _event(value)) and person.take(event):
                found.events += 1
                found.newest = max(found.newest, record.timestamp)
                found.add(event, person)

    async def _compacted(self, person: Person, found: Holdings) -> None:
        for topic, read in (
            (self.topics.quarantine.name, _event),
            (self.topics.parked.name, _parked),
            (self.topics.dead_letters.name, _dead),
        ):
            keys = found.keys[topic]
            async for record in self._records(topic):
                event = None if record.value is None else read(record.value)
                if event is not None:
                    found.known_files |= {event.id} & self.beside
                if event is not None and person.take(event):
                    keys.add(record.key)
                    found.add(event, person)
                else:
                    keys.discard(record.key)
        for topic in self.facts:
            await self._facts(topic, person, found.keys[topic])

    async def _facts(self, topic: str, person: Person, keys: set[bytes]) -> None:
        async for record in self._records(topic):
            owner = record.key.decode(errors="replace")
            if record.value is not None and person.take_facts(owner, orjson.loads(record.value), self.tenants):
                keys.add(record.key)
            else:
                keys.discard(record.key)

    async def _letters_of_others(self, person: Person, found: Holdings) -> dict[bytes, DeadLetter]:
        """A call of many visitors' events is kept whole beside each of them that was refused."""
        topic, traces = self.topics.dead_letters.name, Traces.of(person, found.ids)
        cut: dict[bytes, DeadLetter] = {}
        async for record in self.scanner.scan(topic):
            cut.pop(record.key, None)
            if record.value is not None and record.key not in found.keys[topic]:
                letter = DeadLetter.from_bytes(record.value)
                beside = orjson.dumps([letter.request, letter.reply, letter.detail])
                if traces.in_(beside + b64decode(letter.raw or "")):
                    cut[record.key] = replace(letter, request=None, reply=None, raw=None, detail="(erased)")
        return cut

    async def _records(self, topic: str) -> AsyncIterator[StoredRecord]:
        count = 0
        async for record in self.scanner.scan(topic):
            yield record
            count += 1
            if count == _EVERY:
                self.told(count)
                count = 0
        self.told(count)


def erasing(topics: Topics, found: Holdings, now: float) -> list[Record]:
    """What takes it out of the compacted topics."""
    gone = [Record(topic, key, None, now) for topic, keys in found.keys.items() for key in sorted(keys)]
    return [*gone, *(letter.to_record(topics.dead_letters.name, now) for letter in found.cut.values())]


def _event(value: bytes) -> Event | None:
    with suppress(UnreadableEvent):
        return Event.from_bytes(value)
    return None


def _parked(value: bytes) -> Event | None:
    return ParkedEvent.from_bytes(value).event


def _dead(value: bytes) -> Event | None:
    event = DeadLetter.from_bytes(value).event
    return None if event is None else _event(orjson.dumps(event))
