"""A compacted topic as a table: the newest value of each key, kept in SQLite and followed while it grows.

Processes of one data directory share the file: the first to ask takes in what is new, as long as it lives; a look costs
a connection to Kafka, so the others don't.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from base.clock import Clock
from base.database import connect
from base.logs import Logger
from eventlog.embedded import files
from eventlog.errors import LogError
from eventlog.log import LogScanner, StoredRecord

EVERY_SECONDS: Final = 1.0
GROUP: Final = 1000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS newest (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS taken_in (part INTEGER PRIMARY KEY, next INTEGER NOT NULL);
"""


class TopicTable:
    def __init__(self, path: Path, topic: str, scanner: LogScanner) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._topic, self._scanner = topic, scanner
        self._reading, self._writing = connect(path), connect(path)
        self._writing.executescript(_SCHEMA)
        self._lock = files.open_file(path.with_suffix(".lock"))
        self._ours = False
        self._thread = ThreadPoolExecutor(1, "table")

    def get(self, key: bytes) -> bytes | None:
        """A point look-up, made on the loop."""
        row = self._reading.execute("SELECT value FROM newest WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    async def follow(self, clock: Clock, log: Logger) -> None:
        """Until it is cancelled."""
        told = ""
        while True:
            try:
                await self.take_in()
                told = ""
            except (LogError, sqlite3.OperationalError) as error:
                if str(error) != told:
                    log.warning("table.not_followed", topic=self._topic, error=str(error))
                told = str(error)
            await clock.sleep(EVERY_SECONDS)

    async def take_in(self) -> None:
        """What stands in the topic by now; nothing where another process does."""
        self._ours = self._ours or files.try_lock(self._lock)
        if self._ours:
            for part, (first, end) in (await self._scanner.bounds(self._topic)).items():
                await self._take_in(part, first, end)

    async def _take_in(self, part: int, first: int, end: int) -> None:
        row = self._writing.execute("SELECT next FROM taken_in WHERE part = ?", (part,)).fetchone()
        if row is not None and first < row[0] <= end:
            first = row[0]
        loop, group = asyncio.get_running_loop(), list[StoredRecord]()
        if first < end:
            async for record in self._scanner.scan(self._topic, ranges={part: (first, end)}):
                group.append(record)
                if len(group) == GROUP:
                    await loop.run_in_executor(self._thread, self._write, group, part, record.position.offset + 1)
                    group = []
            await loop.run_in_executor(self._thread, self._write, group, part, end)

    def _write(self, records: Sequence[StoredRecord], part: int, following: int) -> None:
        with self._writing:
            self._writing.execute("BEGIN")
            for record in records:
                if record.value is None:
                    self._writing.execute("DELETE FROM newest WHERE key = ?", (record.key,))
                else:
                    self._writing.execute("INSERT OR REPLACE INTO newest VALUES (?, ?)", (record.key, record.value))
            self._writing.execute("INSERT OR REPLACE INTO taken_in VALUES (?, ?)", (part, following))
        if any(record.value is None for record in records):
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._thread.shutdown()  # a group may be on its way
        self._reading.close()
        self._writing.close()
        os.close(self._lock)
