"""Puts a trace together: the event, every record that holds it, and what became of each at each destination."""

import asyncio
from dataclasses import dataclass
from typing import Any

from base.clock import from_rfc3339, rfc3339
from base.errors import UserError
from eventlog.erased import Erased, take_in
from eventlog.event import Event
from eventlog.log import LogScanner
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.log_access import open_log, open_spool
from ochn.status import status_row
from ochn.tracing import copies
from ochn.tracing.copies import Copy, Quarantined, Wanted
from ochn.tracing.whereabouts import Bounds, Told, Whereabouts

_EVENT = (
    "id",
    "clienteventid",
    "type",
    "subject",
    "appkeyname",
    "door",
    "receivedtime",
    "time",
    "consent",
    "botrule",
    "spooled",
    "replayed",
)


@dataclass(frozen=True, slots=True)
class Tracer:
    """`events` and `receipts` are the topics' bounds; `erased` says of whom nothing is sent any more."""

    settings: Settings
    scanner: LogScanner
    topics: Topics
    events: Bounds
    receipts: Bounds
    erased: Erased

    async def trace(self, wanted: Wanted, *, whole: bool) -> dict[str, Any] | None:
        """{event, quarantined?, spooled?, copies: [{topic, partition, offset, logged, only, destinations: […]}]}; None:
        nothing is like that. UserError when several events are."""
        found, quarantined = await asyncio.gather(
            copies.in_events(self.scanner, self.topics, wanted, whole=whole),
            copies.in_quarantine(self.scanner, self.topics, wanted),
        )
        if quarantined is not None:
            return await self._quarantined(wanted, quarantined, found)
        if not found and (waiting := await in_spool(self.settings, wanted)):
            return waiting
        if not (found or whole or wanted.near is None):
            found = await copies.in_events(self.scanner, self.topics, wanted, whole=True)
        return {"event": _shown(found[0].event), "copies": await self._told(wanted, found)} if found else None

    async def _quarantined(self, wanted: Wanted, kept: Quarantined, found: list[Copy]) -> dict[str, Any]:
        if kept.released is not None:
            found = found or await copies.around(self.scanner, self.topics, wanted, kept.released)
        told = {"reasons": (kept.event.quarantinereasons or "").split(",")}
        released = None if kept.released is None else rfc3339(kept.released)
        rows = await self._told(wanted, found)
        return {"event": _shown(kept.event), "quarantined": {**told, "released": released}, "copies": rows}

    async def _told(self, wanted: Wanted, found: list[Copy]) -> list[Told]:
        """What a dead letter was sent again as is told too; and what that was sent again as."""
        rows = [await self._row(copy) for copy in found]
        known, looked = {copy.position for copy in found}, set[str]()
        while moments := _taken_back(rows) - looked:
            looked |= moments
            for moment in sorted(moments):
                again = await copies.around(self.scanner, self.topics, wanted, from_rfc3339(moment))
                rows += [await self._row(copy) for copy in again if copy.position not in known]
                known |= {copy.position for copy in again}
        if len(ids := {copy.event.id for copy in found}) > 1:
            raise UserError(f"{wanted.text} stands for {len(ids)} events", f"name one of {', '.join(sorted(ids)[:9])}")
        return rows

    async def _row(self, copy: Copy) -> Told:
        names = [name for name in self.settings.destinations if copy.only in (None, name)]
        told = await asyncio.gather(*(self._at(name).of(copy) for name in names))
        if self.erased.denies(copy.event):
            told = [_erased(row) for row in told]
        place = copy.position
        where = {"topic": place.topic, "partition": place.partition, "offset": place.offset}
        return {**where, "logged": rfc3339(copy.logged), "only": copy.only, "destinations": told}

    def _at(self, name: str) -> Whereabouts:
        status = status_row(self.settings, name)
        return Whereabouts(self.scanner, self.topics, self.settings.data_dir, name, status, self.events, self.receipts)


async def open_tracer(settings: Settings) -> Tracer:
    scanner, topics = await open_log(settings).open_scanner(), Topics(settings.log.topic_prefix)
    erased = Erased()
    events, receipts, _ = await asyncio.gather(
        scanner.bounds(topics.events.name),
        scanner.bounds(topics.receipts.name),
        take_in(erased, scanner, topics.erased.name),
    )
    return Tracer(settings, scanner, topics, events, receipts, erased)


async def in_spool(settings: Settings, wanted: Wanted) -> dict[str, Any] | None:
    """As `Tracer.trace` tells it, of what waits for Kafka on this machine: the log is not asked."""
    if (spool := open_spool(settings)) is None:
        return None
    topics = Topics(settings.log.topic_prefix)
    waiting = await copies.in_spool(await spool.open_scanner(), topics, wanted)
    if waiting is None:
        return None
    return {"event": _shown(waiting.event), "spooled": rfc3339(waiting.logged), "copies": []}


def _taken_back(rows: list[Told]) -> set[str]:
    return {row["taken_back"] for copy in rows for row in copy["destinations"] if "taken_back" in row}


def _erased(row: Told) -> Told:
    """Of what was parked or dead nothing is left: it was taken back for nobody."""
    if row["outcome"] not in ("parked", "dead"):
        return row
    kept = {name: value for name, value in row.items() if name in ("destination", "at")}
    return {**kept, "outcome": "filtered", "reason": "erased"}


def _shown(event: Event) -> dict[str, Any]:
    return {name: value for name in _EVENT if (value := getattr(event, name))}
