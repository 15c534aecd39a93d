"""Compacted topics as people mean them: the newest record of each key, erased ones left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from base.errors import UserError
from eventlog.log import StoredRecord
from eventlog.topics import Topics
from eventlog.waiting import waiting_for
from ochn.config import Settings
from ochn.log_access import open_log, open_spool

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """`what` and `command` are for messages: "quarantined event", "ochn quarantine list"."""

    settings: Settings
    topic: str
    decode: Callable[[StoredRecord], T]
    what: str
    command: str

    async def all(self) -> dict[str, T]:
        """By key, oldest first. What waits in the spool counts too: it is newer than what the log holds."""
        waiting = await self._waiting()
        scanner = await open_log(self.settings).open_scanner()
        newest: dict[str, StoredRecord] = {}
        async for record in scanner.scan(self.topic):
            _count(newest, record)
        for record in waiting:
            _count(newest, record)
        return {key: self.decode(record) for key, record in newest.items()}

    async def _waiting(self) -> list[StoredRecord]:
        spool, topics = open_spool(self.settings), Topics(self.settings.log.topic_prefix)
        if spool is None:
            return []
        return [record async for record in waiting_for(await spool.open_scanner(), topics, self.topic)]

    async def find(self, beginning: str) -> dict[str, T]:
        """Those whose key begins so. UserError when there is none."""
        found = {key: item for key, item in (await self.all()).items() if key.startswith(beginning)}
        if not found:
            raise UserError(f"no {self.what} has an id that begins with {beginning}", f"{self.command} shows them")
        return found


def _count(newest: dict[str, StoredRecord], record: StoredRecord) -> None:
    newest.pop(record.key.decode(), None)
    if record.value is not None:
        newest[record.key.decode()] = record
