"""Leases, gaps and upkeep of the embedded log: what only files have."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from base.clock import ManualClock
from base.errors import StartError
from eventlog.appending import append_durably
from eventlog.embedded import EmbeddedLog
from eventlog.embedded.frames import encode
from eventlog.embedded.groups import read_by_all
from eventlog.embedded.manifest import Manifest, load
from eventlog.embedded.segment import SEARCHED
from eventlog.embedded.upkeep import keep_up
from eventlog.errors import Fenced
from eventlog.log import Assigned, Gap, Record, Revoked
from eventlog.settings import EmbeddedSettings
from tests.support.detached import ROOT
from tests.support.embedded import a_log
from tests.support.logs import TIME, assigned, fill, next_item, read, reading, scanned, values, writing

pytestmark = pytest.mark.anyio
TOPIC = "events"
SMALL = EmbeddedSettings(segment_bytes=4096)


async def test_a_holder_that_no_longer_asks_loses_its_place(tmp_path: Path) -> None:
    clock = ManualClock()
    log = a_log(tmp_path, clock=clock, lease_seconds=10)
    await fill(log, TOPIC, 3)
    async with reading(log, TOPIC) as zombie, reading(log, TOPIC) as second:
        await read(zombie, 3)
        clock.advance(9)
        assert await second.next(1, 0.1) is None
        clock.advance(2)
        assert await assigned(second) == Assigned(TOPIC, 0, None, 0)
        await second.commit(0, 1)
        with pytest.raises(Fenced):
            await zombie.commit(0, 3)
        assert await next_item(zombie) == Revoked(TOPIC, 0)
        scanner = await log.open_scanner()
        assert await scanner.committed("group", TOPIC) == {0: 1}


async def test_a_holder_that_asks_keeps_its_place(tmp_path: Path) -> None:
    clock = ManualClock()
    log = a_log(tmp_path, clock=clock, lease_seconds=10)
    async with reading(log, TOPIC) as first, reading(log, TOPIC) as second:
        await assigned(first)
        for _ in range(5):
            clock.advance(9)
            assert await first.next(0, 0) is None
            assert await second.next(1, 0) is None
        await first.commit(0, 0)


async def test_a_holder_that_is_killed_is_followed_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.lease_holder", str(tmp_path), TOPIC]
    async with reading(a_log(tmp_path, lease_seconds=3600), TOPIC) as heir:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert await asyncio.to_thread(holder.stdout.readline) == b"holding\n"
            assert await heir.next(0, 0.5) is None
            holder.kill()
        await assigned(heir)


async def test_what_expired_before_it_was_read_is_a_gap_of_the_exact_size(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"retention_bytes": 1})
    log = a_log(tmp_path, segment_bytes=4096)
    for first in range(0, 60, 4):
        await fill(log, TOPIC, 4, first=first)
    async with reading(log, TOPIC) as reader:
        await read(reader, 2)
        await reader.commit(0, 2)
    keep_up(tmp_path / "log" / TOPIC, "delete", settings, TIME)
    scanner = await log.open_scanner()
    earliest, end = (await scanner.bounds(TOPIC))[0]
    assert 2 < earliest < end == 60
    async with reading(log, TOPIC) as reader:
        assert await assigned(reader) == Assigned(TOPIC, 0, 2, 2)
        assert await next_item(reader) == Gap(TOPIC, 0, 2, earliest, "expired")
        assert values(await read(reader, 60 - earliest)) == [b"value %d" % number for number in range(earliest, 60)]


async def test_a_reader_in_a_segment_that_is_deleted_goes_on_with_the_next(tmp_path: Path) -> None:
    log = a_log(tmp_path, segment_bytes=4096)
    for first in range(0, 60, 4):
        await fill(log, TOPIC, 4, first=first)
    async with reading(log, TOPIC) as reader:
        await assigned(reader)
        await next_item(reader, 2)
        keep_up(tmp_path / "log" / TOPIC, "delete", SMALL.model_copy(update={"retention_bytes": 1}), TIME)
        gap = await next_item(reader)
        assert isinstance(gap, Gap)
        assert (gap.first, gap.cause) == (2, "expired")
        assert len(await read(reader, 60 - gap.end)) == 60 - gap.end


async def test_a_topic_that_is_kept_until_it_was_read_is_deleted_behind_its_readers(tmp_path: Path) -> None:
    log = a_log(tmp_path, segment_bytes=4096)
    for first in range(0, 160, 4):
        await fill(log, TOPIC, 4, first=first)
    bases = [segment.base for segment in known(tmp_path).sealed]
    assert read_by_all(tmp_path / "log", TOPIC) == 0
    for group, offset in (("one", 160), ("two", bases[2] + 1)):
        async with reading(log, TOPIC, group=group) as reader:
            await assigned(reader)
            await reader.commit(0, offset)
    keep_up(tmp_path / "log" / TOPIC, "delete", SMALL, TIME, read_by_all(tmp_path / "log", TOPIC))
    assert [segment.base for segment in known(tmp_path).sealed] == bases[2:]
    async with reading(log, TOPIC, group="two") as reader:
        assert (await read(reader, 1))[0].position.offset == bases[2] + 1


def known(data_dir: Path) -> Manifest:
    manifest = load(data_dir / "log" / TOPIC)
    assert manifest is not None
    return manifest


async def test_age_seals_and_deletes(tmp_path: Path) -> None:
    directory = tmp_path / "log" / TOPIC
    settings = EmbeddedSettings(segment_seconds=60, retention_hours=1)
    clock = ManualClock(TIME)
    log = a_log(tmp_path, clock=clock)
    await fill(log, TOPIC, 3)
    for seconds, offsets in ((59, (0, 3)), (61, (0, 3)), (3700, (3, 3))):
        keep_up(directory, "delete", settings, TIME + seconds)
        assert await (await log.open_scanner()).bounds(TOPIC) == {0: offsets}
    await fill(log, TOPIC, 1, first=3)
    assert values(await scanned(log, TOPIC)) == [b"value 3"]


async def compacting(tmp_path: Path) -> EmbeddedLog:
    """Ten keys, each written six times and the last of them erased; all but the end of it sealed."""
    log = a_log(tmp_path, segment_bytes=4096)
    async with writing(log) as writer:
        for number in range(60):
            value = None if number == 59 else b"%d" % number + bytes(300)
            await append_durably(writer, [Record(TOPIC, b"key-%d" % (number % 10), value, TIME + number)])
        await append_durably(writer, [Record(TOPIC, b"filler", bytes(5000), TIME)])
        await append_durably(writer, [Record(TOPIC, b"last", b"", TIME)])
    return log


async def test_compaction_keeps_the_newest_of_each_key_at_its_offset(tmp_path: Path) -> None:
    log = await compacting(tmp_path)
    directory = tmp_path / "log" / TOPIC
    async with reading(log, TOPIC) as reader:
        await read(reader, 3)
        keep_up(directory, "compact", SMALL, TIME + 100)
        found = {record.key: record.position.offset for record in await scanned(log, TOPIC)}
        assert found == {b"key-%d" % (number % 10): number for number in range(50, 60)} | {b"filler": 60, b"last": 61}
        rest = await read(reader, 12)  # holes that compaction made are no gaps
        assert [record.position.offset for record in rest] == list(range(50, 62))
    assert len(list(directory.glob("*.seg"))) == 2


async def test_a_tombstone_goes_when_its_day_is_over(tmp_path: Path) -> None:
    log = await compacting(tmp_path)
    keep_up(tmp_path / "log" / TOPIC, "compact", SMALL, TIME + 25 * 3600)
    assert b"key-9" not in {record.key for record in await scanned(log, TOPIC)}


async def test_a_compacted_topic_forgets_what_is_too_old_when_it_deletes_too(tmp_path: Path) -> None:
    log = await compacting(tmp_path)
    settings = SMALL.model_copy(update={"retention_hours": 1.0})
    keep_up(tmp_path / "log" / TOPIC, "compact,delete", settings, TIME + 3600 + 55)
    keys = {record.key for record in await scanned(log, TOPIC)}
    assert keys == {b"key-5", b"key-6", b"key-7", b"key-8", b"key-9"}


async def test_data_of_a_newer_version_is_refused_in_plain_words(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    await fill(log, TOPIC, 1)
    async with reading(log, TOPIC) as reader:
        await assigned(reader)
    with sqlite3.connect(tmp_path / "log" / "groups.db") as database:
        database.execute("pragma user_version = 9")
    database.close()
    with pytest.raises(StartError, match="newer version of ochn: format 9"):
        await log.open_reader("group", TOPIC, "now")


async def test_a_directory_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = a_log(tmp_path / "file")
    for opening in (log.open_writer(), log.open_reader("group", TOPIC, "now")):
        with pytest.raises(StartError, match="can't be used for the event log"):
            await opening


async def test_events_without_a_manifest_are_not_taken_for_an_empty_topic(tmp_path: Path) -> None:
    log = a_log(tmp_path)
    await fill(log, TOPIC, 1)
    for path in (tmp_path / "log" / TOPIC).glob("manifest*"):
        path.unlink()
    with pytest.raises(StartError, match=r"no manifest\.json"):
        await log.open_reader("group", TOPIC, "now")
    assert load(tmp_path / "log" / TOPIC) is None


async def test_what_a_record_contains_is_found_wherever_it_stands(tmp_path: Path) -> None:
    """Across the pieces in which a segment is searched, in sealed segments, and behind damage."""
    log, size = a_log(tmp_path, segment_bytes=6 * 1024 * 1024), 700_001
    bodies = [b"%06d" % number + b"\xf8OC\xff" * (number % 3) + b"x" * size for number in range(20)]
    async with writing(log) as writer:
        for body in bodies:
            await append_durably(writer, [Record(TOPIC, b"k", body + b"needle-" + body[:6], TIME)])
    found = await scanned(log, TOPIC, containing=b"needle-")
    assert [record.position.offset for record in found] == list(range(20))
    (last,) = await scanned(log, TOPIC, containing=b"needle-000019")
    assert (last.position.offset, last.value) == (19, bodies[19] + b"needle-000019")
    assert await scanned(log, TOPIC, containing=b"needle-000020") == []
    first = tmp_path / "log" / TOPIC / load(tmp_path / "log" / TOPIC).sealed[0].file  # type: ignore[union-attr]
    with first.open("r+b") as file:
        file.seek(size + 5_000)  # the second record
        file.write(b"\0" * 100)
    found = await scanned(log, TOPIC, containing=b"needle-")
    assert [record.position.offset for record in found] == [0, *range(2, 20)]


@pytest.mark.parametrize("before", [1, 3, 6, 7])
async def test_what_is_looked_for_may_lie_across_two_pieces(tmp_path: Path, before: int) -> None:
    """`before`: so many of its bytes end the first piece in which a segment is searched."""
    log, needle, first = a_log(tmp_path), b"needle-", Record(TOPIC, b"k", b"x" * (2 * 1024 * 1024), TIME)
    empty = Record(TOPIC, b"k", b"", TIME)
    fill = SEARCHED - before - len(encode([first, empty], 0))
    async with writing(log) as writer:
        await append_durably(writer, [first, empty._replace(value=b"y" * fill + needle)])
    assert [record.position.offset for record in await scanned(log, TOPIC, containing=needle)] == [1]
