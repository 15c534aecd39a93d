"""An embedded log to break, and all that can then be read of it.

`python -m tests.support.damage DIRECTORY` breaks it with the checksums switched off, and prints how many readings went
wrong, of flips and of tears: the negative control.
"""

import asyncio
import random
import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from eventlog.embedded import frames
from eventlog.embedded.cursor import Cursor
from eventlog.embedded.frames import MAGIC
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, Gap
from tests.support.embedded import a_log
from tests.support.logs import fill, values

TOPIC = "events"
RECORDS = 60
FLIPS = 200


async def fill_segments(data_dir: Path) -> None:
    """Some are sealed, and one is active."""
    log = a_log(data_dir, segment_bytes=4096)
    for first in range(0, RECORDS, 4):
        await fill(log, TOPIC, 4, first=first)
    assert len(segments(data_dir)) > 1


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


def flipped(data_dir: Path) -> Iterator[Path]:
    """Copies with one flipped bit, at FLIPS places."""
    choose = random.Random(1)
    for number in range(FLIPS):
        copy = a_copy(data_dir, number)
        segment = choose.choice(segments(copy))
        data = bytearray(segment.read_bytes())
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        segment.write_bytes(data)
        yield copy
        shutil.rmtree(copy)


def torn(data_dir: Path, head: bytes, *, zeros: bool) -> Iterator[tuple[int, Path]]:
    """Copies torn at every byte of the last three records, and how many of those are whole. `head`: the head's bytes at
    that time. `zeros`: the file has its size, and nothing in what was not written."""
    active = segments(data_dir)[-1]
    size, begins = active.stat().st_size, frame_starts(active)[-3:]
    for cut in range(begins[0], size + 1):
        copy = a_copy(data_dir, "torn")
        (copy / "log" / TOPIC / "head").write_bytes(head)
        with segments(copy)[-1].open("r+b") as file:
            file.truncate(cut)
            if zeros:
                file.truncate(size)
        yield sum(cut >= end for end in (*begins[1:], size)), copy
        shutil.rmtree(copy)


def goes_wrong(copy: Path) -> bool:
    try:
        found, _ = read_through(copy)
    except (AssertionError, ValueError, struct.error):
        return True
    return not set(found) <= {b"value %d" % number for number in range(RECORDS)}


def main(data_dir: Path) -> None:
    frames.crc32c = lambda _: 0  # type: ignore[attr-defined]
    asyncio.run(fill_segments(data_dir))
    flips = sum(goes_wrong(copy) for copy in flipped(data_dir))
    tears = sum(goes_wrong(copy) for _, copy in torn(data_dir, b"", zeros=True))
    sys.stdout.write(f"{flips} {tears}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
