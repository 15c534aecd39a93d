"""groups.db: who reads a topic for a group, and how far it has come.

A lease has an epoch, which grows with each holder: a commit by an earlier one is refused. Its holder keeps a file of
that epoch locked, so that it is free the moment its process dies; a holder that lives but no longer asks for records
loses it after a while.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from base.errors import StartError
from eventlog.embedded import files
from eventlog.errors import Fenced, LogUnavailable

VERSION: Final = 1
_BUSY_SECONDS: Final = 5.0
_TABLE: Final = """
create table if not exists leases (
    consumers text not null, topic text not null, epoch integer not null, renewed real not null,
    start integer not null, committed integer, note text not null default '', primary key (consumers, topic)
) without rowid
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """`start` is where the group began when it came first; `committed` None until it has committed, with the `note`."""

    group: str
    topic: str
    epoch: int
    start: int
    committed: int | None
    note: str
    file: Path
    descriptor: int


class Groups:
    """For one thread. Times are `Clock.monotonic`, which all processes of a machine share and which a restart of the
    machine sets back: then every lease is free, as its holder is gone. LogUnavailable when the disk refuses."""

    def __init__(self, directory: Path) -> None:
        self._leases = directory / "leases"
        self._leases.mkdir(parents=True, exist_ok=True)
        path = directory / "groups.db"
        alone = files.open_file(directory / "groups.lock")
        self._database = sqlite3.connect(path, _BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            with files.locked(alone):  # changing a database to WAL suffers nobody beside it
                self._prepare(path)
        except BaseException:
            self._database.close()
            raise
        finally:
            os.close(alone)

    def close(self) -> None:
        self._database.close()

    def take(self, group: str, topic: str, first_start: Callable[[], int], now: float, seconds: float) -> Lease | None:
        """The lease, or None while another holds it who has renewed it within `seconds`."""
        with ExitStack() as undo:
            with self._transaction():
                row = self._database.execute(
                    "select epoch, renewed, start, committed, note from leases where consumers = ? and topic = ?",
                    (group, topic),
                ).fetchone()
                epoch, renewed, start, committed, note = row or (0, now, None, None, "")
                if row and now - renewed < seconds and _is_held(self._file(group, topic, epoch)):
                    return None
                start = first_start() if start is None else start
                file = self._file(group, topic, epoch + 1)
                descriptor = files.open_file(file)
                undo.callback(os.close, descriptor)
                files.try_lock(descriptor)  # nobody else takes this epoch: we are alone in the transaction
                self._database.execute(
                    "insert or replace into leases values (?, ?, ?, ?, ?, ?, ?)",
                    (group, topic, epoch + 1, now, start, committed, note),
                )
            undo.pop_all()
        self._file(group, topic, epoch).unlink(missing_ok=True)
        return Lease(group, topic, epoch + 1, start, committed, note, file, descriptor)

    def renew(self, lease: Lease, now: float) -> bool:
        """False: it is another's by now."""
        return self._update(lease, "renewed = ?", now)

    def commit(self, lease: Lease, offset: int, note: str) -> None:
        if not self._update(lease, "committed = ?, note = ?", offset, note):
            raise Fenced(f"{lease.topic} is read for {lease.group} by another since")

    def _update(self, lease: Lease, columns: str, *values: float | str) -> bool:
        statement = f"update leases set {columns} where consumers = ? and topic = ? and epoch = ?"  # noqa: S608 - ours
        with _spoken():
            changed = self._database.execute(statement, (*values, lease.group, lease.topic, lease.epoch)).rowcount
        return changed == 1

    def _prepare(self, path: Path) -> None:
        try:
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")
            with self._transaction():
                version = self._database.execute("pragma user_version").fetchone()[0]
                self._database.execute(_TABLE)
                if "note" not in {column[1] for column in self._database.execute("pragma table_info(leases)")}:
                    self._database.execute("alter table leases add column note text not null default ''")
                self._database.execute(f"pragma user_version = {version or VERSION}")
        except sqlite3.DatabaseError as error:
            raise StartError(
                f"{path} can't be used: {error}.",
                "It holds how far each destination has come. Bring it back from a backup, or move it away: then each "
                "destination starts anew, as its `start` says.",
            ) from error
        if version > VERSION:
            raise StartError(
                f"{path} was written by a newer version of ochn: format {version}, this one reads {VERSION}.",
                "Start the version that wrote it, or move the data directory away.",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _spoken():
            self._database.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._database.execute("rollback")
                raise
            self._database.execute("commit")

    def _file(self, group: str, topic: str, epoch: int) -> Path:
        return self._leases / f"{quote(group, safe='')}.{topic}.{epoch}"


def committed_offset(directory: Path, group: str, topic: str) -> int | None:
    """None for a group that has never committed, and for one that nobody knows."""
    return _asked(directory, "select committed from leases where consumers = ? and topic = ?", group, topic)


def read_by_all(directory: Path, topic: str) -> int:
    """The offset before which each of the topic's groups has come; 0 when it has none."""
    return _asked(directory, "select min(coalesce(committed, start)) from leases where topic = ?", topic) or 0


def _asked(directory: Path, question: str, *about: str) -> int | None:
    path = directory / "groups.db"
    if not path.is_file():
        return None
    with _spoken(), closing(sqlite3.connect(path, _BUSY_SECONDS, isolation_level=None)) as database:
        if not database.execute("pragma user_version").fetchone()[0]:
            return None  # its first user is just making it
        row = database.execute(question, about).fetchone()
        return row[0] if row else None


def release(lease: Lease) -> None:
    """Free for the next one at once. What was committed stays."""
    os.close(lease.descriptor)


@contextmanager
def _spoken() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise LogUnavailable(f"the groups' offsets can't be kept: {error}") from error


def _is_held(file: Path) -> bool:
    with suppress(FileNotFoundError):
        descriptor = files.open_file(file, os.O_RDWR)
        try:
            return not files.try_lock(descriptor)
        finally:
            os.close(descriptor)
    return False
