"""A place in a topic, and what stands behind it: batches without a hole, and gaps where records are gone."""

from contextlib import suppress
from typing import Final, Literal

from eventlog.embedded.frames import Frame
from eventlog.embedded.manifest import Segment
from eventlog.embedded.segment import SegmentFile
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, Gap, Position, StoredRecord

PARTITION: Final = 0  # there is one: all visitors share one order
_BATCH_BYTES: Final = 8 * 1024 * 1024  # a batch is full with this, whatever it counts


class Cursor:
    """`offset` is the next to read. For one thread."""

    def __init__(self, topic: TopicFiles, offset: int) -> None:
        self.offset = offset
        self._topic = topic
        self._name = topic.directory.name
        self._open_name = ""
        self._file: SegmentFile | None = None
        self._position = 0  # in the file, of what follows the last record that was handed out

    def read(self, max_records: int) -> Batch | Gap | None:
        """None when nothing that is durable stands behind `offset`."""
        while segment := self._segment():
            if self.offset < segment.base:
                return self._skip_to(segment.base, "expired")
            file = self._file_of(segment)
            if file is not None:
                if item := self._read(file, segment, max_records):
                    return item
            elif segment == self._segment():  # the manifest still names it: somebody took the file away
                return self._skip_to(segment.next, "damaged")
        return None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._open_name = None, ""

    def _segment(self) -> Segment | None:
        return next((segment for segment in self._topic.durable_segments() if segment.next > self.offset), None)

    def _file_of(self, segment: Segment) -> SegmentFile | None:
        if segment.file != self._open_name:
            self.close()
            with suppress(FileNotFoundError):
                self._file = SegmentFile(self._topic.directory / segment.file)
                self._position = self._file.seek(self.offset, segment.bytes) if self.offset > segment.base else 0
                self._open_name = segment.file
        return self._file

    def _read(self, file: SegmentFile, segment: Segment, max_records: int) -> Batch | Gap | None:
        taken: list[Frame] = []
        expected, position, size = self.offset, self._position, 0
        for frame in file.frames(position, segment.bytes):
            if frame.sequence >= expected:
                lost = frame.sequence > expected and not (segment.compacted and frame.start == position)
                if lost and not taken:
                    self._position = frame.start
                    return self._skip_to(frame.sequence, "damaged")
                size += frame.end - frame.start
                if lost or len(taken) == max_records or size > max(_BATCH_BYTES, frame.end - frame.start):
                    break
                taken.append(frame)
                expected = frame.sequence + 1
            position = frame.end
        self._position = position
        if taken:
            return self._batch(taken)
        if segment.compacted and position == segment.bytes:
            self.offset = segment.next
            return None
        self._position = segment.bytes
        return self._skip_to(segment.next, "damaged")

    def _batch(self, frames: list[Frame]) -> Batch:
        name = self._name
        records = tuple(stored(name, frame) for frame in frames)
        self.offset = frames[-1].sequence + 1
        return Batch(name, PARTITION, records, self.offset)

    def _skip_to(self, offset: int, cause: Literal["expired", "damaged"]) -> Gap:
        first, self.offset = self.offset, offset
        return Gap(self._name, PARTITION, first, offset, cause)


def stored(topic: str, frame: Frame) -> StoredRecord:
    return StoredRecord(
        Position(topic, PARTITION, frame.sequence), frame.key, frame.value, frame.timestamp, frame.headers
    )


def first_since(topic: TopicFiles, time: float) -> int:
    """The first offset whose record is of `time` (seconds since the epoch) or later; else the next to be written."""
    segments = topic.durable_segments()
    for segment in segments:
        if segment.newest >= time:
            try:
                file = SegmentFile(topic.directory / segment.file)
            except FileNotFoundError:
                continue
            try:
                found = (frame for frame in file.frames(0, segment.bytes) if frame.timestamp >= time)
                if frame := next(found, None):
                    return frame.sequence
            finally:
                file.close()
    return segments[-1].next
