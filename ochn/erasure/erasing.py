"""The steps of an erasure, in an order that a stop anywhere only makes it be done again.

First the list (eventlog/erased.py): from then on nobody is sent anything of the person. What stands in the compacted
topics goes once every forwarder has read the list, as none of them writes there of the person any more. Then what stands
beside the log, the embedded log's files, and the vendors.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from base.clock import Clock
from base.database import look_into
from base.errors import UserError
from base.ids import IdSource
from base.process import is_running
from eventlog.appending import append_durably
from eventlog.embedded import EmbeddedLog
from eventlog.erased import FRESH_SECONDS, Erased, key_record, take_in
from eventlog.log import EventLog, LogScanner, Record
from eventlog.topics import Topics
from forwarder.delivery.status import read_status
from ochn.erasure.holdings import Holdings
from ochn.erasure.person import Person
from ochn.erasure.traces import Traces

HEARD_SECONDS: Final = FRESH_SECONDS + 0.5  # until no forwarder sends anything without having read the list
LISTED_SECONDS: Final = 30.0  # until the list is in the log, when it went by the spool
FORGOTTEN_SECONDS: Final = 40.0  # until one has ended the calls that were under way
_CLOSE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Eraser:
    log: EventLog
    topics: Topics
    data_dir: Path
    clock: Clock
    ids: IdSource

    async def deny(self, person: Person, apart: set[str], at: float) -> int:
        """The end of the list, with them in it, once all who run have read it. UserError when it can't be written now."""
        topic, erased = self.topics.erased.name, Erased()
        await take_in(erased, await self.log.open_scanner(), topic)
        if not erased.has_key:
            await self._listed([key_record(topic, self.ids.random(32), at)], erased, lambda: erased.has_key)
        whole, shared = sorted(person.whole | apart), sorted(person.shared | person.known)
        entries = erased.entries(topic, whole, shared, at)
        await self._listed(entries, erased, lambda: all(erased.forgets(one, at - 1.0) for one in (*whole, *shared)))
        await self.clock.sleep(HEARD_SECONDS)
        return erased.end

    async def _listed(self, records: list[Record], erased: Erased, stands: Callable[[], bool]) -> None:
        """In the log, and not only in the spool of this host, where no forwarder reads it."""
        await self.append(records)
        scanner, until = await self.log.open_scanner(), self.clock.monotonic() + LISTED_SECONDS
        while True:
            await take_in(erased, scanner, self.topics.erased.name)
            if stands():
                return
            if self.clock.monotonic() >= until:
                raise UserError(
                    "the list of the erased waits in the spool: the log is away, or late", "say the same again"
                )
            await self.clock.sleep(0.2)

    async def append(self, records: list[Record]) -> None:
        writer = await self.log.open_writer()
        try:
            await append_durably(writer, records)
        finally:
            await writer.close(_CLOSE_SECONDS)

    async def scrub(self) -> None:
        """Kafka compacts by itself, later."""
        if isinstance(self.log, EmbeddedLog):
            await self.log.scrub()

    async def forgotten(self, destinations: list[str], end: int) -> list[str]:
        """Those of them that know something here and have not read the list up to `end`: no forwarder runs, or it is
        not through."""
        until = self.clock.monotonic() + FORGOTTEN_SECONDS
        while True:
            behind = [name for name in destinations if self._read_up_to(name) < end]
            waits = any(self._runs(name) for name in behind)
            if not waits or self.clock.monotonic() >= until:
                return behind
            await self.clock.sleep(0.2)

    def _runs(self, destination: str) -> bool:
        status = read_status(self.data_dir, destination)
        return status is not None and is_running(status["pid"])

    def _read_up_to(self, destination: str) -> float:
        path = self.data_dir / "forwarder" / f"{destination}.db"
        if not path.is_file():
            return float("inf")
        with look_into(path) as database:
            query = "SELECT next FROM taken_in WHERE topic = ? AND part = 0"
            row = database.execute(query, (self.topics.erased.name,)).fetchone()
        return row[0] if row else 0


@dataclass(frozen=True, slots=True)
class Beside:
    """Files beside the log, of this host: those of the person, and those of which nobody can say whose they are."""

    theirs: list[Path]
    unknown: int

    def erase(self) -> None:
        for path in self.theirs:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def kept_beside(data_dir: Path) -> Iterator[Path]:
    """A file or a folder for each event, by its id."""
    yield from sorted([*data_dir.glob("oversize/*"), *data_dir.glob("files/*")])


def beside(data_dir: Path, person: Person, found: Holdings) -> Beside:
    """By their event; a body of an event that the log knows no more, by what stands in it."""
    traces, theirs, unknown = Traces.of(person, found.ids), list[Path](), 0
    for path in kept_beside(data_dir):
        if path.name in found.ids or (path.is_file() and traces.in_(path.read_bytes())):
            theirs.append(path)
        elif path.name not in found.known_files:
            unknown += 1
    return Beside(theirs, unknown)


async def spooled(scanner: LogScanner, topics: Topics, traces: Traces) -> tuple[int, int]:
    """Records of theirs that wait for Kafka on this host, and those that it refused for their size."""
    counts = []
    for topic in (topics.spool.name, topics.oversize.name):
        committed = await scanner.committed("spool", topic)
        waiting = [
            record
            async for record in scanner.scan(topic)
            if record.position.offset >= committed.get(record.position.partition, 0)
        ]
        counts.append(sum(traces.in_(record.value or b"") for record in waiting))
    return counts[0], counts[1]
