"""Looking at a topic without a group, also while nobody else runs."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import finalize

from eventlog.embedded.cursor import PARTITION, Cursor, first_since, stored
from eventlog.embedded.groups import committed_offset
from eventlog.embedded.segment import SegmentFile
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, StoredRecord

_AT_ONCE: Final = 500


class KeptOpen:
    """Topics that were looked into stay open as long as this lives: who opens a topic first reads its active segment
    through, and a look every moment must not."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._topics: dict[Path, TopicFiles] = {}
        self._stack = ExitStack()
        finalize(self, self._stack.close)

    def keep(self, directory: Path) -> None:
        with self._lock:
            if directory not in self._topics:
                self._topics[directory] = self._stack.enter_context(TopicFiles(directory))


class EmbeddedScanner:
    def __init__(self, directory: Path, kept_open: KeptOpen) -> None:
        self._directory = directory
        self._kept_open = kept_open

    async def scan(
        self,
        topic: str,
        since: float | None = None,
        ranges: Mapping[int, tuple[int, int]] | None = None,
        *,
        until: float | None = None,
        containing: bytes | None = None,
    ) -> AsyncGenerator[StoredRecord, None]:
        bounds = await self.bounds(topic)
        if not bounds:
            return
        first, end = bounds[PARTITION]
        if ranges is not None:
            asked, last = ranges.get(PARTITION, (end, end))
            first, end = max(first, asked), min(end, last)
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, f"scan-{topic}")
        files = await loop.run_in_executor(thread, TopicFiles, self._directory / topic)
        reading = _read(files, first, end, since, until)
        if containing is not None:
            reading = _search(files, containing, since, until)
        try:
            while records := await loop.run_in_executor(thread, next, reading, None):
                for record in records:
                    if first <= record.position.offset < end and record.is_asked_for(since, until, containing):
                        yield record
        finally:  # by the same thread: a scan that is given up may still be reading there
            thread.submit(reading.close)
            thread.submit(files.close)
            thread.shutdown(wait=False)

    async def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return await asyncio.to_thread(self._bounds, self._directory / topic)

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        return await asyncio.to_thread(_committed, self._directory, group, topic)

    def _bounds(self, directory: Path) -> Mapping[int, tuple[int, int]]:
        if not directory.is_dir():
            return {}
        self._kept_open.keep(directory)
        with TopicFiles(directory) as files:
            segments = files.durable_segments()
        return {PARTITION: (segments[0].base, segments[-1].next)}


Groups = Generator[Sequence[StoredRecord], None, None]  # none of them empty: the end is told apart from those


def _read(files: TopicFiles, first: int, end: int, since: float | None, until: float | None) -> Groups:
    cursor = Cursor(files, first if since is None else max(first, first_since(files, since)))
    try:
        while cursor.offset < end and (item := cursor.read(_AT_ONCE)):
            if isinstance(item, Batch):
                yield item.records
                if until is not None and item.records[-1].timestamp >= until:
                    return
    finally:
        cursor.close()


def _search(files: TopicFiles, needle: bytes, since: float | None, until: float | None) -> Groups:
    """Segment by segment, those left out that hold nothing of the time."""
    for segment in files.durable_segments():
        if (since is not None and segment.newest < since) or (until is not None and segment.oldest >= until):
            continue
        with suppress(FileNotFoundError), closing(SegmentFile(files.directory / segment.file)) as file:
            found = [
                stored(files.directory.name, frame)
                for frame in file.holding(needle, segment.bytes)
                if frame.sequence >= segment.base
            ]
            if found:
                yield found


def _committed(directory: Path, group: str, topic: str) -> Mapping[int, int]:
    offset = committed_offset(directory, group, topic)
    return {} if offset is None else {PARTITION: offset}
