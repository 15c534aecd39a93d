"""Looking at a topic without a group, also while nobody else runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from eventlog.embedded.cursor import PARTITION, Cursor, first_since
from eventlog.embedded.groups import Groups
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, StoredRecord

_AT_ONCE: Final = 500


class EmbeddedScanner:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

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
        files = await asyncio.to_thread(TopicFiles, self._directory / topic)
        cursor = Cursor(files, first)
        try:
            if since is not None:
                cursor.offset = max(first, await asyncio.to_thread(first_since, files, since))
            while cursor.offset < end and (item := await asyncio.to_thread(cursor.read, _AT_ONCE)):
                for record in item.records if isinstance(item, Batch) else ():
                    if record.position.offset < end and (since is None or record.timestamp >= since):
                        yield record
        finally:
            cursor.close()
            files.close()

    async def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        return await asyncio.to_thread(_bounds, self._directory / topic)

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        return await asyncio.to_thread(_committed, self._directory, group, topic)


def _bounds(directory: Path) -> Mapping[int, tuple[int, int]]:
    if not directory.is_dir():
        return {}
    with TopicFiles(directory) as files:
        segments = files.durable_segments()
    return {PARTITION: (segments[0].base, segments[-1].next)}


def _committed(directory: Path, group: str, topic: str) -> Mapping[int, int]:
    if not (directory / "groups.db").is_file():
        return {}
    groups = Groups(directory)
    try:
        offset = groups.committed(group, topic)
    finally:
        groups.close()
    return {} if offset is None else {PARTITION: offset}
