"""One segment file, read. Only whole, undamaged frames come out; what is missing shows in their sequences."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eventlog.embedded import files
from eventlog.embedded.frames import MAGIC, MAX_FRAME, Frame, frame_at, length_at

_CHUNK: Final = 256 * 1024
SEARCHED: Final = 4 * 1024 * 1024


class SegmentFile:
    def __init__(self, path: Path) -> None:
        self._descriptor = files.open_file(path, os.O_RDONLY)

    def close(self) -> None:
        os.close(self._descriptor)

    def frames(self, start: int, end: int) -> Iterator[Frame]:
        """The frames that begin at or after position `start` and end by `end`. Damaged bytes are stepped over."""
        while start < end:
            buffer = os.pread(self._descriptor, min(_CHUNK, end - start), start)
            if len(buffer) < length_at(buffer) <= end - start:
                buffer = os.pread(self._descriptor, length_at(buffer), start)
            if not buffer:
                return
            at = 0
            while frame := frame_at(buffer, at, start):
                yield frame
                at = frame.end - start
            start += at or _to_next_magic(buffer)

    def seek(self, sequence: int, end: int) -> int:
        """A position before `end` from which `frames` soon gives the first frame that is not below `sequence`."""
        low, high = 0, end
        while high - low > _CHUNK:
            middle = (low + high) // 2
            frame = next(self.frames(middle, min(middle + 2 * MAX_FRAME, high)), None)
            if frame is None or frame.sequence >= sequence:
                high = middle
            else:
                low = frame.end
        return low

    def holding(self, needle: bytes, end: int) -> Iterator[Frame]:
        """The frames that end by `end` and hold these bytes, which are looked for without reading frame by frame."""
        start = 0
        while start < end:
            buffer = os.pread(self._descriptor, min(SEARCHED, end - start), start)
            at = buffer.find(needle)
            if at >= 0:
                frame = self._frame_around(start + at, end)
                if frame is not None:
                    yield frame
                start = start + at + 1 if frame is None else frame.end
            else:
                start += max(len(buffer) - len(needle) + 1, 1)

    def _frame_around(self, position: int, end: int) -> Frame | None:
        for reach in (_CHUNK, MAX_FRAME):
            start = max(0, position - reach)
            buffer = os.pread(self._descriptor, min(end, position + reach) - start, start)
            at = buffer.rfind(MAGIC, 0, position - start)
            while at >= 0:
                frame = frame_at(buffer, at, start)
                if frame is not None and frame.end > position:
                    return frame
                at = buffer.rfind(MAGIC, 0, at)
        return None

    def bytes_of(self, frame: Frame) -> bytes:
        return os.pread(self._descriptor, frame.end - frame.start, frame.start)


def _to_next_magic(buffer: bytes) -> int:
    """How far to go on from a place where no frame begins. The magic itself may be cut by the buffer's end."""
    found = buffer.find(MAGIC, 1)
    return found if found > 0 else max(len(buffer) - len(MAGIC) + 1, 1)
