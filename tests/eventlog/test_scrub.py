"""What a compacted topic's tombstones erase, gone from the disk at once."""

import asyncio
from pathlib import Path

import pytest

from base.clock import ManualClock
from eventlog.appending import append_durably
from eventlog.log import Record
from eventlog.topics import Topic
from tests.support.embedded import a_log
from tests.support.logs import scanned, writing

pytestmark = pytest.mark.anyio
COMPACTED, EVENTS = Topic("x.quarantine", "compact,delete"), Topic("x.events")
SECRET = b"ann@example.com"


def holding(directory: Path) -> set[str]:
    return {path.parent.name for path in directory.rglob("*") if path.is_file() and SECRET in path.read_bytes()}


async def test_what_was_erased_is_in_no_file_and_the_rest_stays_as_it_was(tmp_path: Path) -> None:
    clock = ManualClock()
    log = a_log(tmp_path, COMPACTED, EVENTS, clock=clock, segment_bytes=4096)
    records = [Record(COMPACTED.name, b"%d" % number, b"bob " * 50, clock.now()) for number in range(30)]
    hers = Record(COMPACTED.name, b"hers", SECRET, clock.now())
    async with writing(log) as writer:
        await append_durably(writer, [*records, hers, hers._replace(topic=EVENTS.name)])
        await append_durably(writer, [hers._replace(value=None)])
        assert holding(tmp_path) == {"x.quarantine", "x.events"}
        before = {(r.key, r.position.offset) for r in await scanned(log, COMPACTED.name) if r.key != b"hers"}
        await log.scrub()
        assert holding(tmp_path) == {"x.events"}
        again = hers._replace(value=b"she came back")
        await asyncio.gather(log.scrub(), append_durably(writer, [again]), log.scrub())
    found = await scanned(log, COMPACTED.name)
    assert {(r.key, r.position.offset) for r in found if r.key != b"hers"} == before
    assert [r.value for r in found if r.key == b"hers"][-1] == b"she came back"
    clock.advance(86_400 + 1)
    await log.scrub()
    assert [r.value for r in await scanned(log, COMPACTED.name) if r.key == b"hers"] == [b"she came back"]
