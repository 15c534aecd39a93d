"""Compacted topics as people mean them: the newest record of each key, erased ones left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from base.clock import SystemClock
from base.errors import UserError
from eventlog.appending import append_durably
from eventlog.log import EventLog, Record, StoredRecord

T = TypeVar("T")
CLOSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """`what` and `command` are for messages: "quarantined event", "ochn quarantine list"."""

    log: EventLog
    topic: str
    decode: Callable[[StoredRecord], T]
    what: str
    command: str

    async def all(self) -> dict[str, T]:
        """By key, oldest first."""
        scanner = await self.log.open_scanner()
        newest: dict[str, StoredRecord] = {}
        async for record in scanner.scan(self.topic):
            newest.pop(record.key.decode(), None)
            if record.value is not None:
                newest[record.key.decode()] = record
        return {key: self.decode(record) for key, record in newest.items()}

    async def find(self, beginning: str) -> dict[str, T]:
        """Those whose key begins so. UserError when there is none."""
        found = {key: item for key, item in (await self.all()).items() if key.startswith(beginning)}
        if not found:
            raise UserError(f"no {self.what} has an id that begins with {beginning}", f"{self.command} shows them")
        return found

    async def replace(self, appended: list[Record], erased: list[str]) -> None:
        """Appends, and only once that is durable erases: a crash between leaves both, never neither."""
        writer = await self.log.open_writer()
        try:
            await append_durably(writer, appended)
            now = SystemClock().now()
            await append_durably(writer, [Record(self.topic, key.encode(), None, now) for key in erased])
        finally:
            await writer.close(CLOSE_SECONDS)
