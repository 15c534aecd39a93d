"""SQLite as a quick index of what stands durably in topics: `<data_dir>/forwarder/<destination>.db`.

Writes are gathered while the last group is committed, and go in one transaction, in a thread. A kill -9 loses at most
groups that nobody was told of; a power loss may also take back the last ones (WAL, synchronous=NORMAL). Both are
harmless: the position up to which a topic has been taken in is written in the same transactions, so that what was
lost is read from the topic again (`catch_up`).

What waits here for hours or days is judged by the store's own time, not by the wall clock: somebody sets that, or it
has gone on while no forwarder ran, and nothing had a chance meanwhile.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from base.clock import Clock
from base.database import connect
from base.logs import Logger
from eventlog.log import LogScanner, StoredRecord

GROUP: Final = 1000  # writes a transaction, of one row mostly
SOON_SECONDS: Final = 0.02  # in which some eight facts come, at the rate that one core brings to Footprints

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS taken_in (topic TEXT, part INTEGER, next INTEGER, PRIMARY KEY (topic, part));
CREATE TABLE IF NOT EXISTS own_time (part INTEGER PRIMARY KEY, now REAL NOT NULL, wall REAL NOT NULL);
CREATE TABLE IF NOT EXISTS facts (owner TEXT PRIMARY KEY, doc BLOB NOT NULL, seen REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parked (
  key TEXT PRIMARY KEY, subject TEXT NOT NULL, part INTEGER NOT NULL, place INTEGER NOT NULL, doc BLOB NOT NULL,
  reason TEXT NOT NULL, since REAL NOT NULL, due REAL NOT NULL);
DROP INDEX IF EXISTS parked_subject;
CREATE INDEX IF NOT EXISTS parked_order ON parked (subject, part, place, reason);
DROP INDEX IF EXISTS parked_due;
CREATE INDEX IF NOT EXISTS parked_turn ON parked (due) WHERE reason <> 'late';
CREATE INDEX IF NOT EXISTS parked_other ON parked (subject) WHERE reason <> 'late';
CREATE INDEX IF NOT EXISTS parked_place ON parked (part, place) WHERE reason <> 'late';
CREATE INDEX IF NOT EXISTS parked_late ON parked (part, place) WHERE reason = 'late';
CREATE TABLE IF NOT EXISTS receipts (
  part INTEGER NOT NULL, single INTEGER NOT NULL, first INTEGER NOT NULL, topic_part INTEGER NOT NULL,
  place INTEGER NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS receipts_first ON receipts (part, single, first);
CREATE INDEX IF NOT EXISTS receipts_at ON receipts (at);
"""

_NOTE: Final = "INSERT OR REPLACE INTO own_time VALUES (0, ?, ?)"

Row = Sequence[Any]
Statement = tuple[str, Row]


class Store:
    """Reads see what has been committed; they are point look-ups, made on the loop."""

    def __init__(self, path: Path, clock: Clock, log: Logger) -> None:
        self._clock = clock
        self._log = log
        self._writes: deque[tuple[str, Sequence[Row], asyncio.Future[None]]] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, "store")
        self._writing = _open(path, clock.now(), log)
        self._reading = connect(path)
        known = self.read("SELECT now FROM own_time")
        self._began = (known[0][0] if known else clock.now()) - clock.monotonic()

    def now(self) -> float:
        """The store's own time: seconds since the epoch where it was made, and since then those that it was open. With
        each group it is noted how far it has come: a kill takes back what came after the last."""
        return self._began + self._clock.monotonic()

    @property
    def pending(self) -> int:
        """Rows that no group has taken yet."""
        return sum(len(rows) for _, rows, _ in self._writes)

    def read(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._reading.execute(query, parameters).fetchall()

    def write(self, query: str, *rows: Row) -> asyncio.Future[None]:
        """The statement for each of the rows: done once its group is committed. Groups are committed in the order of
        these calls."""
        done = self._add(query, rows)
        self._begin()
        return done

    def write_soon(self, query: str, *rows: Row) -> asyncio.Future[None]:
        """As `write`, for what nobody waits for: with all that comes within SOON_SECONDS, or with the next `write`."""
        done = self._add(query, rows)
        if self._soon is None and self._flushing is None:
            self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self._begin)
        return done

    def _add(self, query: str, rows: Sequence[Row]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writes.append((query, rows, done))
        return done

    def _begin(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._flushing is None and self._writes:
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._writes:
            group = [self._writes.popleft() for _ in range(min(GROUP, len(self._writes)))]
            while not await loop.run_in_executor(self._thread, self._commit, group):
                await self._clock.sleep(1)  # a full disk: what is in the topics already is not lost by waiting
            for _, _, done in group:
                if not done.done():
                    done.set_result(None)
        self._flushing = None

    def _commit(self, group: Iterable[tuple[str, Sequence[Row], object]]) -> bool:
        try:
            with self._writing:
                self._writing.execute("BEGIN")
                for query, rows, _ in group:
                    self._writing.executemany(query, rows)
                self._writing.execute(_NOTE, (self.now(), self._clock.now()))
        except sqlite3.Error as error:
            self._log.error("store.failed", error=str(error))
            return False
        return True

    def define(self, name: str, function: Callable[[Any], Any]) -> None:
        """For queries of `look`: SQL's `name(value)`, called in the thread."""
        self._writing.create_function(name, 1, function)

    async def look(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Whatever it takes, in the thread; after all that was written so far."""
        await self.settled()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._writing.execute(query, parameters).fetchall())

    async def scrub(self) -> None:
        """What was deleted is in no file any more."""
        await self.look("PRAGMA wal_checkpoint(TRUNCATE)")

    async def settled(self) -> None:
        """Returns once everything written so far is committed."""
        self._begin()
        if self._flushing is not None:
            await asyncio.shield(self._flushing)

    async def close(self, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline):
                await self.settled()
        except TimeoutError:
            self._log.error("store.closed_late", unwritten=len(self._writes))
        if self._flushing is not None:
            self._flushing.cancel()
        self._thread.shutdown()
        self._writing.close()
        self._reading.close()


def _open(path: Path, now: float, log: Logger) -> sqlite3.Connection:
    """A file that is no database any more is put aside: the topics fill a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = connect(path)
        connection.executescript(_SCHEMA)
        if "seen" not in {column[1] for column in connection.execute("PRAGMA table_info(facts)")}:
            connection.execute(f"ALTER TABLE facts ADD COLUMN seen REAL NOT NULL DEFAULT {now}")
    except sqlite3.OperationalError:
        raise  # locked, full, not writable: the file itself may be whole
    except sqlite3.DatabaseError:
        log.exception("store.damaged", path=str(path), next="filled again from the topics")
        for tail in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + tail).replace(path.with_name(f"{path.name}{tail}.damaged"))
        return _open(path, now, log)
    return connection


async def catch_up(
    store: Store, scanner: LogScanner, topic: str, part: int, apply: Callable[[StoredRecord], Iterable[Statement]]
) -> None:
    """Takes in what a topic's partition holds since the last time. Only while nobody here writes to that partition:
    an older record would lie over a newer one until the end is reached."""
    first, end = (await scanner.bounds(topic)).get(part, (0, 0))
    known = store.read("SELECT next FROM taken_in WHERE topic = ? AND part = ?", (topic, part))
    if known and first < known[0][0] <= end:
        first = known[0][0]
    if first < end:
        async for record in scanner.scan(topic, ranges={part: (first, end)}):
            for query, parameters in apply(record):
                store.write(query, parameters)
            if store.pending > GROUP:
                await store.settled()
    await taken_in(store, topic, part, end)


async def taken_in(store: Store, topic: str, part: int, end: int) -> None:
    await store.write("INSERT OR REPLACE INTO taken_in VALUES (?, ?, ?)", (topic, part, end))
