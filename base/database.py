"""SQLite as all our tables open it: beside other readers, and with nothing left of what was erased."""

import sqlite3
from pathlib import Path


def connect(path: Path) -> sqlite3.Connection:
    """Any thread may use it, one at a time. sqlite3.Error when the file can't be used."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA secure_delete = ON")  # of an erased person no byte stays behind
    return connection
