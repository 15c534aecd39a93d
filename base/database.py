"""SQLite as all our tables open it: beside other readers, and with nothing left of what was erased."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


def connect(path: Path) -> sqlite3.Connection:
    """Any thread may use it, one at a time. sqlite3.Error, which names the file, when it can't be used."""
    with _named(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # of an erased person no byte stays behind
    return connection


@contextmanager
def look_into(path: Path) -> Iterator[sqlite3.Connection]:
    """To read only, beside who writes there. sqlite3.Error names the file."""
    with (
        _named(path),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection,
    ):
        yield connection


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise type(error)(f"{path}: {error}") from error
