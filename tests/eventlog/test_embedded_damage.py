"""What a crash or a bad disk does to the files, and what a reader then gets."""

import random
import shutil
from pathlib import Path

import pytest

from eventlog.appending import append_durably
from eventlog.embedded.cursor import Cursor
from eventlog.embedded.frames import MAGIC
from eventlog.embedded.manifest import Segment, store
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, Gap, Position
from tests.support.embedded import a_log
from tests.support.logs import a_record, assigned, fill, next_item, read, reading, values, writing

pytestmark = pytest.mark.anyio
TOPIC = "events"
RECORDS = 60


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    """A data directory with sealed segments and an active one."""
    data_dir = tmp_path / "filled"
    log = a_log(data_dir, segment_bytes=4096)
    for first in range(0, RECORDS, 4):
        await fill(log, TOPIC, 4, first=first)
    assert len(segments(data_dir)) > 1
    return data_dir


def segments(data_dir: Path) -> list[Path]:
    """In the order of their offsets; the last is the active one."""
    return sorted((data_dir / "log" / TOPIC).glob("*.seg"))


def a_copy(data_dir: Path, name: object) -> Path:
    return Path(shutil.copytree(data_dir, data_dir.with_name(f"copy-{name}")))


def frame_starts(segment: Path) -> list[int]:
    data, found = segment.read_bytes(), [0]
    while (at := data.find(MAGIC, found[-1] + 1)) > 0:
        found.append(at)
    return found


def read_through(data_dir: Path) -> tuple[list[bytes | None], list[Gap]]:
    """All that stands between the log's beginning and its end."""
    found: list[bytes | None] = []
    gaps: list[Gap] = []
    with TopicFiles(data_dir / "log" / TOPIC) as topic:
        cursor, position = Cursor(topic, 0), 0
        while item := cursor.read(500):
            if isinstance(item, Batch):
                assert item.records[0].position.offset == position
                found += values(list(item.records))
                position = item.next_offset
            else:
                assert item.first == position
                gaps.append(item)
                position = item.end
        cursor.close()
    return found, gaps


@pytest.mark.parametrize("head", ["kept", "lost"])
async def test_a_tail_torn_at_any_byte_of_the_last_three_records(filled: Path, head: str) -> None:
    """The head as it stood when the third last record was durable, or none at all."""
    log = a_log(filled)
    before = (filled / "log" / TOPIC / "head").read_bytes() if head == "kept" else b""
    await fill(log, TOPIC, 3, first=RECORDS)
    active = segments(filled)[-1]
    size, begins = active.stat().st_size, frame_starts(active)[-3:]
    for cut in range(begins[0], size + 1):
        copy = a_copy(filled, "torn")
        (copy / "log" / TOPIC / "head").write_bytes(before)
        with segments(copy)[-1].open("r+b") as file:
            file.truncate(cut)
        whole = sum(cut >= end for end in (*begins[1:], size))
        assert read_through(copy) == ([b"value %d" % number for number in range(RECORDS + whole)], []), f"cut at {cut}"
        shutil.rmtree(copy)


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
    choose = random.Random(1)
    for number in range(200):
        copy = a_copy(filled, number)
        segment = choose.choice(segments(copy))
        data = bytearray(segment.read_bytes())
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        segment.write_bytes(data)
        found, gaps = read_through(copy)
        missing = [offset for offset in range(RECORDS) if b"value %d" % offset not in found]
        assert len(missing) == 1
        assert [(gap.first, gap.end, gap.cause) for gap in gaps] == [(missing[0], missing[0] + 1, "damaged")]
        assert found == [b"value %d" % offset for offset in range(RECORDS) if offset not in missing]
        shutil.rmtree(copy)


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
