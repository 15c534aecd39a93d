"""Compacted topics as people mean them: the newest record of each key, erased ones left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from base.errors import UserError
from eventlog.log import EventLog, StoredRecord

T = TypeVar("T")


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
