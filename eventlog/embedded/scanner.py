"""Looking at a topic without a group, also while nobody else runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Final
from weakref import finalize

from eventlog.embedded.cursor import PARTITION, Cursor, first_since
from eventlog.embedded.groups import committed_offset
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
        self, topic: str, since: float | None = None, ranges: Mapping[int, tuple[int, int]] | None = None
    ) -> AsyncIterator[StoredRecord]:
        bounds = await self.bounds(topic)
        if not bounds:
            return
        first, end = bounds[PARTITION]
        if ranges is not None:
            asked, until = ranges.get(PARTITION, (end, end))
            first, end = max(first, asked), min(end, until)
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, f"scan-{topic}")
        files = await loop.run_in_executor(thread, TopicFiles, self._directory / topic)
        cursor = Cursor(files, first)
        try:
            if since is not None:
                cursor.offset = max(first, await loop.run_in_executor(thread, first_since, files, since))
            while cursor.offset < end and (item := await loop.run_in_executor(thread, cursor.read, _AT_ONCE)):
                for record in item.records if isinstance(item, Batch) else ():
                    if record.position.offset < end and (since is None or record.timestamp >= since):
                        yield record
        finally:  # by the same thread: a scan that is given up may still be reading there
            thread.submit(cursor.close)
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


def _committed(directory: Path, group: str, topic: str) -> Mapping[int, int]:
    offset = committed_offset(directory, group, topic)
    return {} if offset is None else {PARTITION: offset}
