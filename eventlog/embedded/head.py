"""head: where the active segment's writing and durability stand, in memory that all processes map.

It saves system calls and is never the truth: who opens a topic first makes it anew from the segment's frames.
"""

import os
from mmap import mmap
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from eventlog.embedded import files

_HEAD: Final = Struct("<QQQQQdddQ")
_CHECK: Final = Struct("<I")
_SIZE: Final = _HEAD.size + _CHECK.size


class Head(NamedTuple):
    """Only who holds the topic's lock writes it."""

    generation: int  # of the manifest it belongs to
    position: int  # bytes written to the active segment
    next: int  # the next record's offset
    durable_position: int
    durable: int  # the next offset that is not durable yet: readers stop before it
    oldest: float  # timestamps of the active segment's records
    newest: float
    begun: float  # wall clock of the active segment's first record
    busy: bool  # its writer is at work, or died at it


class HeadFile:
    def __init__(self, path: Path) -> None:
        descriptor = files.open_file(path)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                files.write_all(descriptor, bytes(_SIZE), 0)
            self._map = mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)

    def read(self) -> Head | None:
        """None when it is damaged, or was caught half written."""
        seen = self._map[:_SIZE]
        if crc32c(seen[: _HEAD.size]) != _CHECK.unpack_from(seen, _HEAD.size)[0]:
            return None
        return Head._make(_HEAD.unpack_from(seen))

    def write(self, head: Head) -> None:
        body = _HEAD.pack(*head)
        self._map[:_SIZE] = body + _CHECK.pack(crc32c(body))

    def close(self) -> None:
        self._map.close()
