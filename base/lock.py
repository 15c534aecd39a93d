"""One owner to a data directory. The kernel holds the lock, so it goes with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOTDIR
from pathlib import Path
from typing import Final

import orjson

from base.errors import StartError
from base.files import write_whole

LAYOUT_VERSION: Final = 1


@contextmanager
def lock_data_dir(data_dir: Path, role: str, *, shared: bool = False) -> Iterator[Path]:
    """Holds `<data_dir>/<role>.lock`; `shared`: beside others that share, but never beside one that does not.

    StartError with the holder's pid when it is taken, and for all that prepare_data_dir refuses.
    """
    prepare_data_dir(data_dir)
    path = data_dir / f"{role}.lock"
    with _writable(data_dir):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _lock(descriptor, data_dir, role, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield data_dir
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data_dir: Path, role: str, mode: int) -> None:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise StartError(
            f"the data directory {data_dir} is in use by another {role} (process {holder})",
            "stop that one, or choose another directory with --data-dir",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def prepare_data_dir(data_dir: Path) -> Path:
    """Makes the directory, for its owner alone, and its `layout.json`. StartError: it can't be written, or newer data
    stands in it."""
    layout = data_dir / "layout.json"
    with _writable(data_dir):
        if data_dir.is_file():
            raise NotADirectoryError(ENOTDIR, "it is a file")
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # events are personal data
        if not os.access(data_dir, os.W_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
        if not layout.exists():
            write_whole(layout, orjson.dumps({"version": LAYOUT_VERSION}), draft=str(os.getpid()))
        version = _version(layout)
    if version > LAYOUT_VERSION:
        raise StartError(
            f"the data in {data_dir} is of a newer version (layout {version}, this one reads {LAYOUT_VERSION})",
            "start the newer version, or choose another directory with --data-dir",
        )
    return data_dir


def _version(layout: Path) -> int:
    try:
        return int(orjson.loads(layout.read_bytes())["version"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise StartError(
            f"{layout} can't be read: it tells the version of the data beside it",
            f'restore it, or write {{"version":{LAYOUT_VERSION}}} if this version wrote the data',
        ) from error


@contextmanager
def _writable(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(
            f"the data directory {data_dir} can't be used: {error.strerror}",
            "give this user the right to write there, or choose another with --data-dir",
        ) from error
