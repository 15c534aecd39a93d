"""What time does to a topic: segments are sealed, compacted and deleted. One process at a time, any of them."""

import fcntl
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventlog.embedded import files
from eventlog.embedded.appender import Appender
from eventlog.embedded.compaction import compact
from eventlog.embedded.manifest import Segment
from eventlog.embedded.topic import TopicFiles
from eventlog.settings import EmbeddedSettings
from eventlog.topics import Cleanup

TOMBSTONE_SECONDS: Final = 24 * 3600.0  # who reads a compacted topic from its start has so long to see what was erased


def keep_up(directory: Path, cleanup: Cleanup, settings: EmbeddedSettings, now: float, unread: int = 0) -> None:
    """`now` in seconds since the epoch; what lies before the offset `unread` is deleted whatever its age. Does nothing
    while another process is at it."""
    with TopicFiles(directory) as topic, _alone(directory, wait=False) as alone:
        if alone:
            _keep_up(topic, cleanup, settings, now, unread)


def scrub(directory: Path, settings: EmbeddedSettings, now: float) -> None:
    """What a compacted topic's newer records stand for, tombstones too, is in no file any more when this returns."""
    sealing = settings.model_copy(update={"segment_seconds": -math.inf})
    with TopicFiles(directory) as topic, _alone(directory, wait=True):
        _seal(topic, sealing, now)
        _compact(topic, topic.manifest.sealed, 0.0, now)


@contextmanager
def _alone(directory: Path, *, wait: bool) -> Iterator[bool]:
    """False: another process is at it."""
    descriptor = files.open_file(directory / "upkeep.lock")
    try:
        if wait:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield wait or files.try_lock(descriptor)
    finally:
        os.close(descriptor)


def _keep_up(topic: TopicFiles, cleanup: Cleanup, settings: EmbeddedSettings, now: float, unread: int) -> None:
    _seal(topic, settings, now)
    if "delete" in cleanup:
        _exchange(topic, expired(topic.manifest.sealed, settings, now, unread), None)
    if "compact" in cleanup:
        oldest = now - settings.retention_hours * 3600 if "delete" in cleanup else 0.0
        _compact(topic, worth_compacting(topic.manifest.sealed), oldest, now)


def _seal(topic: TopicFiles, settings: EmbeddedSettings, now: float) -> None:
    appender = Appender(topic, settings)
    try:
        appender.roll(now)
    finally:
        appender.close()


def _compact(topic: TopicFiles, chosen: Sequence[Segment], oldest: float, now: float) -> None:
    if chosen:
        merged = compact(topic.directory, chosen, topic.manifest.generation + 1, oldest, now - TOMBSTONE_SECONDS)
        _exchange(topic, chosen, merged)


def expired(sealed: Sequence[Segment], settings: EmbeddedSettings, now: float, unread: int) -> Sequence[Segment]:
    """The oldest segments, as many as are too old, or too many bytes, or read by all."""
    total = sum(segment.bytes for segment in sealed)
    for index, segment in enumerate(sealed):
        young = segment.newest >= now - settings.retention_hours * 3600
        if young and total <= settings.retention_bytes and segment.next > unread:
            return sealed[:index]
        total -= segment.bytes
    return sealed


def worth_compacting(sealed: Sequence[Segment]) -> Sequence[Segment]:
    """All or none: compacting rewrites everything, so it waits until half as much is new as was kept last time."""
    fresh = sum(segment.bytes for segment in sealed if not segment.compacted)
    return sealed if fresh and 2 * fresh >= sum(segment.bytes for segment in sealed if segment.compacted) else ()


def _exchange(topic: TopicFiles, old: Sequence[Segment], new: Segment | None) -> None:
    """`old` are the manifest's first sealed segments: nobody but us takes any away."""
    if not old:
        return
    with files.locked(topic.lock):
        head = topic.current()
        kept = topic.manifest.sealed[len(old) :]
        topic.publish(topic.manifest.with_sealed((new, *kept) if new else kept), head)
    for segment in old:
        (topic.directory / segment.file).unlink(missing_ok=True)
