"""Every record that holds one event: as it was received, quarantined, spooled, or sent again.

An event's id carries its time, and a record the event's time, so an id is looked for in a few seconds of the log, and
in all that came after only when it is not there (it went through the spool) or when that is asked for. A client's own
id (`eid`) tells no time: it is looked for in the bytes of the whole log.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import orjson

from eventlog.event import Event, UnreadableEvent
from eventlog.log import LogScanner, Position, StoredRecord
from eventlog.topics import Topics
from eventlog.waiting import waiting_for
from forwarder.keeping.dead_letters import DESTINATION_HEADER

SLACK: Final = 2.0  # seconds around an id's time
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}(-[0-9a-f-]{0,22})?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`needle` stands in the JSON of each record that is looked for. `since` and `until` None: at any time; `near`: the
    moment by which it is expected."""

    text: str
    needle: bytes
    since: float | None
    until: float | None = None
    near: float | None = None

    def is_(self, event: Event) -> bool:
        return event.id.startswith(self.text) or event.clienteventid == self.text


def by_id(text: str) -> Wanted | None:
    """An event's id, or its first thirteen characters or more: those hold the time (RFC 9562, 5.7). What a client
    named so, since then, is found too."""
    if not _ID.fullmatch(text):
        return None
    made = int(text.replace("-", "")[:12], 16) / 1000
    return Wanted(text, b'"' + text.encode(), made - SLACK, near=made + SLACK)


def by_client_id(text: str, since: float | None, until: float | None = None) -> Wanted:
    return Wanted(text, b'"clienteventid":' + orjson.dumps(text), since, until)


@dataclass(frozen=True, slots=True)
class Copy:
    """`logged` in seconds since the epoch. `only`: the one destination that a replay is meant for."""

    event: Event
    position: Position
    logged: float
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """`released` in seconds since the epoch; None: it still is."""

    event: Event
    released: float | None


async def in_events(scanner: LogScanner, topics: Topics, wanted: Wanted, *, whole: bool) -> list[Copy]:
    """`whole`: not only around the id's time, but up to the log's end."""
    until = wanted.until if whole else wanted.near or wanted.until
    records = scanner.scan(topics.events.name, wanted.since, until=until, containing=wanted.needle)
    return [copy async for copy in _copies(records, wanted)]


async def around(scanner: LogScanner, topics: Topics, wanted: Wanted, moment: float) -> list[Copy]:
    """Those that were put into the log shortly before `moment`: what came back from quarantine or dead letters."""
    records = scanner.scan(topics.events.name, moment - 60 * SLACK, until=moment + SLACK, containing=wanted.needle)
    return [copy async for copy in _copies(records, wanted)]


async def in_quarantine(scanner: LogScanner, topics: Topics, wanted: Wanted) -> Quarantined | None:
    topic, found = topics.quarantine.name, None
    records = scanner.scan(topic, wanted.since, until=wanted.until, containing=wanted.needle)
    async for copy in _copies(records, wanted):
        found = copy
    if found is None:
        return None
    released = None
    async for record in scanner.scan(topic, found.logged):
        if record.key == found.event.id.encode():
            released = record.timestamp if record.value is None else None
    return Quarantined(found.event, released)


async def in_spool(scanner: LogScanner, topics: Topics, wanted: Wanted) -> Copy | None:
    """Durable on this machine, and not in the log yet. `scanner` is the spool's."""
    async for record in waiting_for(scanner, topics, topics.events.name, wanted.since, wanted.needle):
        if (event := _event(record.value)) and wanted.is_(event):
            return Copy(event, record.position, record.timestamp)
    return None


async def _copies(records: AsyncIterator[StoredRecord], wanted: Wanted) -> AsyncIterator[Copy]:
    async for record in records:
        event = _event(record.value)
        if event is not None and wanted.is_(event):
            meant = [value.decode() for name, value in record.headers if name == DESTINATION_HEADER]
            yield Copy(event, record.position, record.timestamp, meant[-1] if meant else None)


def _event(value: bytes | None) -> Event | None:
    try:
        return Event.from_bytes(value or b"")
    except UnreadableEvent:
        return None
