"""Sealed segments made into one that holds each key's newest record. Offsets stay what they were."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from eventlog.embedded import files
from eventlog.embedded.frames import Frame
from eventlog.embedded.manifest import Segment, segment_name
from eventlog.embedded.segment import SegmentFile

_WRITE_BYTES: Final = 1024 * 1024


def compact(
    directory: Path, segments: Sequence[Segment], generation: int, oldest: float, tombstones_from: float
) -> Segment:
    """The merged segment, durable, which no manifest names yet. Records older than `oldest`, and tombstones older than
    `tombstones_from` (seconds since the epoch), go too. `generation` makes its name its own."""
    newest = _newest(directory, segments)
    name = segment_name(segments[0].base, generation)
    descriptor = files.open_file(directory / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    position, times, waiting = 0, [], bytearray()
    try:
        for frame, raw in _frames(directory, segments):
            floor = max(oldest, tombstones_from) if frame.value is None else oldest
            if newest.get(frame.key, frame.sequence) == frame.sequence and frame.timestamp >= floor:
                waiting += raw
                times.append(frame.timestamp)
            if len(waiting) >= _WRITE_BYTES:
                files.write_all(descriptor, bytes(waiting), position)
                position += len(waiting)
                waiting.clear()
        files.write_all(descriptor, bytes(waiting), position)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    size = position + len(waiting)
    span = (min(times), max(times)) if times else (0.0, 0.0)
    return Segment(name, segments[0].base, segments[-1].next, size, *span, compacted=True)


def _newest(directory: Path, segments: Sequence[Segment]) -> dict[bytes, int]:
    """Sequences by key, only of what was not compacted yet: the memory this takes follows what is new."""
    fresh = [segment for segment in segments if not segment.compacted]
    return {frame.key: frame.sequence for frame, _ in _frames(directory, fresh)}


def _frames(directory: Path, segments: Sequence[Segment]) -> Iterator[tuple[Frame, bytes]]:
    for segment in segments:
        file = SegmentFile(directory / segment.file)
        try:
            for frame in file.frames(0, segment.bytes):
                yield frame, file.bytes_of(frame)
        finally:
            file.close()
