"""One topic's directory, opened by this process; any number of processes may have it open, no server between them.

`open.lock` is held shared by all who have it open, so whoever gets it alone is the first, and trusts only the frames.
`lock` guards the short moments in which the head or the manifest changes.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from base.errors import StartError
from eventlog.embedded import files, manifest
from eventlog.embedded.head import Head, HeadFile
from eventlog.embedded.manifest import Manifest, Segment
from eventlog.embedded.segment import SegmentFile


class TopicFiles:
    def __init__(self, directory: Path) -> None:
        """StartError for data of another version; OSError for a directory that can't be used."""
        self.directory = directory
        self.manifest = manifest.NOTHING
        _make(directory)
        with ExitStack() as opening:
            opened = files.open_file(directory / "open.lock")
            opening.callback(os.close, opened)
            self.lock = files.open_file(directory / "lock")
            opening.callback(os.close, self.lock)
            first = files.try_lock(opened)
            if not first:
                files.share_lock(opened)
            self.head = HeadFile(directory / "head")
            opening.callback(self.head.close)
            if first:
                self._begin()
                files.share_lock(opened)
            self._opened = opening.pop_all()

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def durable_segments(self) -> tuple[Segment, ...]:
        """All segments in order, the active one last, cut where durability ends. Offsets join without a hole."""
        head = self.head.read()
        if head is None or head.generation != self.manifest.generation:
            with files.locked(self.lock):
                head = self.current()
        active = self.manifest.active
        durable = Segment(active.file, active.base, head.durable, head.durable_position, head.oldest, head.newest)
        return (*self.manifest.sealed, durable)

    def has_news(self, offset: int) -> bool:
        """Without a system call: whether anything from `offset` on may be there to read."""
        head = self.head.read()
        return head is None or head.durable > offset or head.generation != self.manifest.generation

    def current(self) -> Head:
        """For who holds the lock: the head, mended when its last writer died at work, and the manifest with it."""
        head = self.head.read()
        if head is None:
            return self._recover(None)
        if head.busy or head.generation != self.manifest.generation:
            self.manifest = manifest.load(self.directory) or manifest.NOTHING
        if head.generation != self.manifest.generation:
            return self._recover(head)
        if head.busy:
            os.truncate(self.directory / self.manifest.active.file, head.position)
            head = head._replace(busy=False)
            self.head.write(head)
        return head

    def publish(self, changed: Manifest, head: Head) -> Head:
        """For who holds the lock. Dying in here leaves the head busy, and the next one mends it by the manifest."""
        before = self.head.read() or head
        self.head.write(before._replace(busy=True))
        os.close(files.open_file(self.directory / changed.active.file))
        manifest.store(changed, self.directory)
        self.manifest = changed
        head = head._replace(generation=changed.generation, busy=False)
        self.head.write(head)
        return head

    def _begin(self) -> None:
        with files.locked(self.lock):
            self._recover(self.head.read())
            named = {segment.file for segment in (*self.manifest.sealed, self.manifest.active)}
        for stray in self.directory.glob("*.seg"):  # made by a process that died before the manifest named it
            if stray.name not in named:
                stray.unlink()

    def _recover(self, head: Head | None) -> Head:
        """The head, made anew from the active segment's frames; what is torn behind the last whole one is cut off.

        A head that belongs to this manifest still proves what had been durable: where its frames are damaged now, the
        offsets stay taken, so that readers report them instead of never knowing.
        """
        self.manifest = manifest.load(self.directory) or self._first_manifest()
        descriptor = files.open_file(self.directory / self.manifest.active.file)
        try:
            size = os.fstat(descriptor).st_size
            found = _scan(self.directory, self.manifest, size)
            if head is not None and head.generation == found.generation:
                position = max(found.position, min(size, head.durable_position))
                found = found._replace(position=position, next=max(found.next, head.durable))
            os.ftruncate(descriptor, found.position)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        found = found._replace(durable_position=found.position, durable=found.next)
        self.head.write(found)
        return found

    def _first_manifest(self) -> Manifest:
        if any(path.stat().st_size for path in self.directory.glob("*.seg")):
            raise StartError(
                f"{self.directory} holds events, but no manifest.json that names them.",
                "Bring it back from a backup, or move this directory away and start without its events.",
            )
        first = Manifest(1, (), manifest.fresh(0, 1))
        os.close(files.open_file(self.directory / first.active.file))
        manifest.store(first, self.directory)
        return first


def _make(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        files.sync_names(directory.parent)


def _scan(directory: Path, known: Manifest, size: int) -> Head:
    active = known.active
    position, following, oldest, newest = 0, active.base, 0.0, 0.0
    segment = SegmentFile(directory / active.file)
    try:
        for frame in segment.frames(0, size):
            if frame.sequence < following:
                continue
            oldest = min(oldest or frame.timestamp, frame.timestamp)
            newest = max(newest, frame.timestamp)
            position, following = frame.end, frame.sequence + 1
    finally:
        segment.close()
    return Head(known.generation, position, following, position, following, oldest, newest, oldest, busy=False)
