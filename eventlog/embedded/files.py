"""Files as the log needs them: locked, replaced whole, and their names durable."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def open_file(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o640)


@contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Alone among all processes of this machine. The kernel takes the lock back when its holder dies."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_lock(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def share_lock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def write_all(descriptor: int, data: bytes, position: int) -> None:
    """One pwrite, and what a nearly full disk made of it: the rest, or OSError."""
    written = os.pwrite(descriptor, data, position)
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], position + written)


def replace(path: Path, data: bytes) -> None:
    """Readers see the old bytes or the new, also after a power loss. Not for two processes at once."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(descriptor, data, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    sync_names(path.parent)


def sync_names(directory: Path) -> None:
    """Names that were made, changed or removed in it are durable when this returns."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
