"""Writing one topic: a group goes in under the lock, is flushed outside it, and is durable when the head says so.

So the flushes of several processes overlap, and one flush covers every group that was written before it began.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from eventlog.embedded import files
from eventlog.embedded.frames import encode
from eventlog.embedded.head import Head
from eventlog.embedded.manifest import Segment
from eventlog.embedded.topic import TopicFiles
from eventlog.errors import LogUnavailable
from eventlog.log import Record
from eventlog.settings import EmbeddedSettings


class Written(NamedTuple):
    """A group that is in the file but not durable yet. `end` is a position, `first` and `next` are offsets."""

    file: str
    descriptor: int
    end: int
    first: int
    next: int


class Appender:
    """For one thread. `now` is the wall clock in seconds. Whatever raises OSError has made nothing durable."""

    def __init__(self, topic: TopicFiles, settings: EmbeddedSettings) -> None:
        self._topic = topic
        self._settings = settings
        self._file = ""
        self._descriptor = -1
        self._failed = ""  # the file whose flush failed

    def append(self, records: Sequence[Record], now: float) -> int:
        """The first record's offset, once all are durable. OSError or LogUnavailable: none of them is known to be."""
        written = self.write(records, now)
        self.flush(written)
        return written.first

    def write(self, records: Sequence[Record], now: float) -> Written:
        with files.locked(self._topic.lock):
            head = self._roll_when_due(self._topic.current(), now)
            file = self._topic.manifest.active.file
            descriptor = self._open(file)
            data = encode(records, head.next)
            self._topic.head.write(head._replace(busy=True))
            try:
                files.write_all(descriptor, data, head.position)
            except OSError:
                os.ftruncate(descriptor, head.position)
                self._topic.head.write(head)
                raise
            first, head = head.next, _advanced(head, records, len(data), now)
            self._topic.head.write(head)
        return Written(file, descriptor, head.position, first, head.next)

    def flush(self, written: Written) -> None:
        if self._settings.sync and not self._is_durable(written):
            try:
                os.fdatasync(written.descriptor)
            except OSError:
                self._failed = written.file
                with suppress(OSError):
                    self.roll(0.0)
                raise
        with files.locked(self._topic.lock):
            head = self._topic.current()
            if self._topic.manifest.active.file != written.file:
                self._check_sealed_with(written)
            elif head.durable < written.next:
                self._topic.head.write(head._replace(durable_position=written.end, durable=written.next))

    def roll(self, now: float) -> None:
        """Seals the active segment when its size, its age or its disk says so."""
        with files.locked(self._topic.lock):
            self._roll_when_due(self._topic.current(), now)

    def close(self) -> None:
        if self._file:
            os.close(self._descriptor)

    def _is_durable(self, written: Written) -> bool:
        """Another process's flush began after this group was written and has come back."""
        head = self._topic.head.read()
        return head is not None and head.durable >= written.next and self._topic.manifest.generation == head.generation

    def _open(self, file: str) -> int:
        if file != self._file:
            descriptor = files.open_file(self._topic.directory / file)
            self.close()
            self._file, self._descriptor = file, descriptor
        return self._descriptor

    def _roll_when_due(self, head: Head, now: float) -> Head:
        """A flush that failed is never tried again: the kernel may have dropped what it could not write. What is
        durable stays in that file; what came behind it was answered to nobody, and its offsets are given anew."""
        file = self._topic.manifest.active.file
        if file == self._failed:
            return self._seal(head, head.durable, head.durable_position)
        aged = head.position > 0 and now - head.begun >= self._settings.segment_seconds
        if not aged and head.position < self._settings.segment_bytes:
            return head
        if self._settings.sync:
            try:
                os.fdatasync(self._open(file))
            except OSError:
                return self._seal(head, head.durable, head.durable_position)
        return self._seal(head, head.next, head.position)

    def _seal(self, head: Head, following: int, position: int) -> Head:
        active = self._topic.manifest.active
        sealed = Segment(active.file, active.base, following, position, head.oldest, head.newest)
        empty = Head(0, 0, following, 0, following, 0.0, 0.0, 0.0, busy=False)
        return self._topic.publish(self._topic.manifest.rolled(sealed), empty)

    def _check_sealed_with(self, written: Written) -> None:
        for segment in self._topic.manifest.sealed:
            if segment.file == written.file and segment.bytes >= written.end:
                return
        raise LogUnavailable(f"the disk failed under {written.file}; what was not durable in it is not kept")


def _advanced(head: Head, records: Sequence[Record], size: int, now: float) -> Head:
    times = [record.timestamp for record in records]
    position = head.position + size
    begun, oldest = (head.begun, min(head.oldest, *times)) if head.position else (now, min(times))
    newest = max(head.newest, *times)
    return head._replace(position=position, next=head.next + len(records), oldest=oldest, newest=newest, begun=begun)
