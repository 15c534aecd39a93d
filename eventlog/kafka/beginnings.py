"""Where a group goes on in a partition, decided without I/O, and the memory it takes to decide that."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

FORGOTTEN_AFTER = 3600.0  # seconds: Kafka keeps an idle group's offsets for days; sooner, they were deleted


@dataclass(frozen=True, slots=True)
class Remembered:
    """What this data directory saw a group commit, and when (seconds since the epoch)."""

    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Beginning:
    """`committed` None: a first start. `gap`: first offset and end of what expired before it was read. `note` stands
    beside what Kafka holds."""

    committed: int | None
    position: int
    gap: tuple[int, int] | None = None
    note: str = ""


def begin(
    committed: int | None, remembered: Remembered | None, first_start: int, earliest: int, now: float
) -> Beginning:
    """What Kafka holds counts, so that an operator may move a group; else what we remember. Kafka without an offset
    that was there a moment ago means that topic or group were made anew: then all that is there is new to us."""
    if committed is None and remembered is not None:
        committed = remembered.offset if now - remembered.at > FORGOTTEN_AFTER else earliest
    if committed is None:
        return Beginning(None, first_start)
    if committed < earliest:
        return Beginning(committed, earliest, (committed, earliest))
    return Beginning(committed, committed)


class Starts:
    """Committed offsets once more, apart from Kafka: SQLite in the data directory, shared by its processes.

    Covers what Kafka alone can't tell: offsets of a group that was away for longer than `offsets.retention.minutes`
    are deleted there, which looks like a group that never was. Holds what was committed by way of this directory;
    a forwarder on another host, with its own directory, knows of its own partitions only.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS committed (log_group TEXT, topic TEXT, partition INTEGER, "
            "next_offset INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (log_group, topic, partition)) WITHOUT ROWID"
        )

    def recall(self, group: str, topic: str) -> dict[int, Remembered]:
        rows = self._database.execute(
            "SELECT partition, next_offset, at FROM committed WHERE log_group = ? AND topic = ?", (group, topic)
        )
        return {partition: Remembered(offset, at) for partition, offset, at in rows}

    def remember(self, group: str, topic: str, partition: int, committed: Remembered) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO committed VALUES (?, ?, ?, ?, ?)",
            (group, topic, partition, committed.offset, committed.at),
        )

    def close(self) -> None:
        self._database.close()
