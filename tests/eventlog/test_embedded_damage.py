"""What a crash or a bad disk does to the files, and what a reader then gets."""

import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.appending import append_durably
from eventlog.embedded.frames import MAGIC
from eventlog.embedded.manifest import Segment, store
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Gap, Position
from tests.support.damage import (
    FLIPS,
    RECORDS,
    TOPIC,
    fill_segments,
    flipped,
    frame_starts,
    read_through,
    segments,
    torn,
)
from tests.support.detached import ROOT
from tests.support.embedded import a_log
from tests.support.logs import a_record, assigned, fill, next_item, read, reading, values, writing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A data directory with sealed segments and an active one."""
    data_dir = tmp_path / "filled"
    await fill_segments(data_dir)
    return data_dir


@pytest.mark.parametrize(("head", "tail"), [("kept", "cut"), ("lost", "cut"), ("lost", "zeros")])
async def test_a_tail_torn_at_any_byte_of_the_last_three_records(filled: Path, head: str, tail: str) -> None:
    """Row 9. The head as it stood when the fourth last record was durable, or none at all."""
    before = (filled / "log" / TOPIC / "head").read_bytes() if head == "kept" else b""
    await fill(a_log(filled), TOPIC, 3, first=RECORDS)
    for whole, copy in torn(filled, before, zeros=tail == "zeros"):
        assert read_through(copy) == ([b"value %d" % number for number in range(RECORDS + whole)], [])


async def test_a_torn_tail_is_mended_and_appending_goes_on(filled: Path) -> None:
    with segments(filled)[-1].open("ab") as file:
        file.write(MAGIC + bytes(100))
    await fill(a_log(filled), TOPIC, 1, first=RECORDS)
    assert read_through(filled) == ([b"value %d" % number for number in range(RECORDS + 1)], [])


async def test_a_reader_is_told_of_the_gap_and_goes_on(filled: Path) -> None:
    segment = segments(filled)[0]
    with segment.open("r+b") as file:
        file.seek(frame_starts(segment)[2] + 30)
        file.write(b"\xff")
    async with reading(a_log(filled), TOPIC) as reader:
        await assigned(reader)
        assert values(await read(reader, 2)) == [b"value 0", b"value 1"]
        assert await next_item(reader) == Gap(TOPIC, 0, 2, 3, "damaged")
        assert len(await read(reader, RECORDS - 3)) == RECORDS - 3


async def test_one_flipped_bit_costs_one_record_at_most_and_is_reported_exactly(filled: Path) -> None:
    """Row 10."""
    for copy in flipped(filled):
        found, gaps = read_through(copy)
        missing = [offset for offset in range(RECORDS) if b"value %d" % offset not in found]
        assert len(missing) == 1
        assert [(gap.first, gap.end, gap.cause) for gap in gaps] == [(missing[0], missing[0] + 1, "damaged")]
        assert found == [b"value %d" % offset for offset in range(RECORDS) if offset not in missing]


def test_without_checksums_it_goes_wrong(tmp_path: Path) -> None:
    """The negative control of rows 9 and 10, in a process of its own, as it switches them off for good."""
    command = [sys.executable, "-m", "tests.support.damage", str(tmp_path / "unchecked")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    flips, tears = map(int, done.stdout.split())
    assert flips > FLIPS // 10
    assert tears > 0


async def test_a_segment_that_somebody_took_away_is_a_gap(filled: Path) -> None:
    first, second = segments(filled)[:2]
    lost = int(second.name.split(".")[0])
    first.unlink()
    found, gaps = read_through(filled)
    assert gaps == [Gap(TOPIC, 0, 0, lost, "damaged")]
    assert len(found) == RECORDS - lost


@pytest.mark.parametrize("name", ["manifest.json", "manifest.copy.json"])
async def test_one_damaged_manifest_is_read_from_its_twin(filled: Path, name: str) -> None:
    path = filled / "log" / TOPIC / name
    path.write_bytes(path.read_bytes().replace(b'"base": 0', b'"base": 7'))
    found, gaps = read_through(filled)
    assert (len(found), gaps) == (RECORDS, [])


async def test_a_head_that_died_half_written_is_made_anew_by_who_comes_next(filled: Path) -> None:
    log = a_log(filled)
    async with reading(log, TOPIC) as reader:
        await assigned(reader)
        with (filled / "log" / TOPIC / "head").open("r+b") as file:
            file.write(bytes(range(40)))
        await fill(log, TOPIC, 1, first=RECORDS)
        assert len(await read(reader, RECORDS + 1)) == RECORDS + 1


async def test_a_writer_that_died_between_the_manifest_and_the_head_is_made_up_for(filled: Path) -> None:
    """It had sealed the active segment: whoever still has the old one must not write to it."""
    async with writing(a_log(filled, segment_bytes=4096)) as writer:
        await append_durably(writer, [a_record(TOPIC, RECORDS)])
        directory = filled / "log" / TOPIC
        with TopicFiles(directory) as other:
            head = other.current()
            active = other.manifest.active
            sealed = Segment(active.file, active.base, head.next, head.position, head.oldest, head.newest)
            store(other.manifest.rolled(sealed), directory)
            other.head.write(head._replace(busy=True))
        assert await append_durably(writer, [a_record(TOPIC, RECORDS + 1)]) == [Position(TOPIC, 0, RECORDS + 1)]
    assert read_through(filled) == ([b"value %d" % number for number in range(RECORDS + 2)], [])
