"""What became of one record of the log at one destination: from its receipts, and from what waits."""

import sqlite3
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from base.clock import rfc3339
from base.database import look_into
from base.reasons import Parked
from eventlog.event import Event, UnreadableEvent
from eventlog.log import LogScanner, Position
from eventlog.topics import Topics
from forwarder.keeping.dead_letters import DeadLetter, letter_key
from forwarder.keeping.parking import ParkedEvent
from forwarder.keeping.receipt_index import Place, find_place
from forwarder.keeping.receipts import Receipt, receipt_key
from ochn.tracing.copies import Copy

_KEPT: Final = ("outcome", "reason", "answer", "late")
Bounds = Mapping[int, tuple[int, int]]
Told = dict[str, Any]  # {destination, outcome, reason, detail, at, …}: a row of the answer


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """`status`: what `ochn status` tells of the destination. `events` and `receipts` are the topics' bounds."""

    scanner: LogScanner
    topics: Topics
    data_dir: Path
    destination: str
    status: Mapping[str, Any]
    events: Bounds
    receipts: Bounds

    async def of(self, copy: Copy) -> Told:
        """`outcome` is delivered, filtered, parked, dead, lost, waiting, or unknown."""
        group, place = self.topics.group(self.destination), copy.position
        committed = (await self.scanner.committed(group, place.topic)).get(place.partition)
        if committed is None or place.offset >= committed:
            told = await self._waiting(copy, committed)
        else:
            told = await self._settled(copy)
        return {"destination": self.destination, **told}

    async def _settled(self, copy: Copy) -> Told:
        offset = copy.position.offset
        place = find_place(self._database, copy.position.partition, offset)
        receipt = await self._receipt(copy, place)
        if receipt is None and place is not None:  # made by a forwarder that stood still while another went on
            receipt = await self._receipt(copy, None)
        if receipt is not None and receipt.told(offset)["outcome"] == "parked":
            if parked := await self._parked(copy):
                return {"outcome": "parked", "at": receipt.at, **parked}
            receipt = await self._receipt(copy, None)
        if receipt is None:
            return {
                "outcome": "unknown",
                "detail": "no receipt tells of it: its group began later, or they have expired",
            }
        told = receipt.told(offset)
        row = {"at": receipt.at, **{name: told[name] for name in _KEPT if name in told}}
        return {**row, **(await self._dead(copy) if row["outcome"] == "dead" else {})}

    async def _waiting(self, copy: Copy, committed: int | None) -> Told:
        if parked := self._parked_here(copy):
            return {"outcome": "parked", **parked}
        partition, offset = copy.position.partition, copy.position.offset
        first, end = self.events[partition]
        start = first if committed is None else max(first, committed)
        row: Told = {"outcome": "waiting", "behind": offset - start, "lag": end - start}
        state, why = str(self.status.get("state")), filter(None, (self.status.get("reason"), self.status.get("detail")))
        row |= {"reason": state, "detail": ": ".join(why)}
        if offset > start:
            row["stuck"] = await self._event_at(Position(copy.position.topic, partition, start))
        return row

    async def _event_at(self, position: Position) -> Told:
        """The first that is not settled: what all behind it waits for."""
        ranges = {position.partition: (position.offset, position.offset + 1)}
        async for record in self.scanner.scan(position.topic, ranges=ranges):
            with suppress(UnreadableEvent):
                event = Event.from_record(record)
                return {"offset": position.offset, "id": event.id, "type": event.type, "received": event.receivedtime}
        return {"offset": position.offset}

    async def _receipt(self, copy: Copy, place: Place | None) -> Receipt | None:
        """Read on from `place`, the first that tells of it; else the last of all since the event was logged."""
        offset, ranges = copy.position.offset, None
        if place is not None:
            _, end = self.receipts.get(place.partition, (0, 0))
            ranges = {place.partition: (place.offset, end)}
        key, found = receipt_key(self.destination, copy.position.partition), None
        since = copy.logged if place is None else None
        async with aclosing(self.scanner.scan(self.topics.receipts.name, since, ranges)) as records:
            async for record in records:
                receipt = Receipt.from_bytes(record.value or b"{}") if record.key == key else None
                if receipt is not None and offset in receipt.all:
                    found = receipt
                    if place is not None or receipt.told(offset)["outcome"] != "parked":
                        break
        return found

    async def _parked(self, copy: Copy) -> Told | None:
        """None: it waits no more."""
        if here := self._parked_here(copy):
            return here
        found: Told | None = None
        async for record in self.scanner.scan(self.topics.parked.name, copy.logged):
            if record.key == self._key(copy):
                parked = ParkedEvent.from_bytes(record.value) if record.value else None
                found = {"reason": parked.reason, "since": rfc3339(parked.since)} if parked else None
        return found

    def _parked_here(self, copy: Copy) -> Told | None:
        """None also where this host's table may be behind: it follows what waits of its own partitions alone."""
        if copy.position.partition not in self.status.get("partitions", ()) or not self._database.is_file():
            return None
        row = None
        with (
            suppress(sqlite3.OperationalError),  # made by an earlier version, without its own time
            look_into(self._database) as connection,
        ):
            query = "SELECT doc, due + wall - now FROM parked, own_time WHERE key = ?"
            row = connection.execute(query, (self._key(copy).decode(),)).fetchone()
        if row is None:
            return None
        parked = ParkedEvent.from_bytes(row[0])
        told = {"reason": parked.reason, "since": rfc3339(parked.since)}
        return told if parked.reason == Parked.LATE else {**told, "next_try": rfc3339(row[1])}

    async def _dead(self, copy: Copy) -> Told:
        row: Told = {}
        place = (copy.position.partition, copy.position.offset)
        key = letter_key(copy.event.id, self.destination, place if copy.event.replayed else None)
        async for record in self.scanner.scan(self.topics.dead_letters.name, copy.logged):
            if record.key != key:
                continue
            if record.value is None:
                row["taken_back"] = rfc3339(record.timestamp)
                continue
            letter = DeadLetter.from_bytes(record.value)
            answer = (letter.reply or {}).get("status")
            row = {"detail": letter.detail, "attempts": letter.attempts, "dead_at": letter.at, "answer": answer}
        return row

    def _key(self, copy: Copy) -> bytes:
        return f"{copy.event.id}:{self.destination}".encode()

    @property
    def _database(self) -> Path:
        return self.data_dir / "forwarder" / f"{self.destination}.db"
