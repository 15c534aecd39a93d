"""The segment format against a model: write, flush or not, crash at any byte, flip bits, reopen; nothing acknowledged
is lost but what was damaged, and what was damaged is reported, exactly."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlog.embedded.appender import Appender
from eventlog.embedded.cursor import Cursor
from eventlog.embedded.frames import encode
from eventlog.embedded.topic import TopicFiles
from eventlog.log import Batch, Record
from eventlog.settings import EmbeddedSettings

SETTINGS = EmbeddedSettings(segment_bytes=4096, segment_seconds=1e9)
HEAD_BYTES = 76


@dataclass
class Kept:
    """One record of the model, and where its frame lies."""

    value: bytes
    file: str
    start: int
    end: int


class Segments(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="segments-"))
        self.directory = self.root / "topic"
        self.kept: dict[int, Kept] = {}  # by offset
        self.durable = 0  # offsets below it were acknowledged, or have survived a crash
        self.next = 0
        self.flipped: set[tuple[str, int, int]] = set()
        self.heads: list[bytes] = []  # as they stood on the disk at some moment
        self.written = 0
        self.open()

    def open(self) -> None:
        self.topic = TopicFiles(self.directory)
        self.appender = Appender(self.topic, SETTINGS)

    def close(self) -> None:
        self.appender.close()
        self.topic.close()

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self.root)

    # ---- what may happen ----

    @rule(sizes=st.lists(st.integers(0, 600), min_size=1, max_size=4), flush=st.booleans())
    def write(self, sizes: list[int], flush: bool) -> None:
        records = [self.a_record(size) for size in sizes]
        written = self.appender.write(records, 0.0)
        start = written.end - len(encode(records, written.first))
        assert written.first == self.next
        for offset, record in enumerate(records, written.first):
            end = start + len(encode([record], offset))
            self.kept[offset] = Kept(record.value or b"", written.file, start, end)
            start = end
        if self.kept.get(self.next - 1) and self.kept[self.next - 1].file != written.file:
            self.durable = self.next  # a segment is flushed whole before it is sealed
        self.next = written.next
        if flush:
            self.appender.flush(written)
            self.durable = self.next

    @rule()
    def head_reaches_the_disk(self) -> None:
        self.heads.append((self.directory / "head").read_bytes())

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """Power goes: of what was not flushed any part is on the disk; the head is there, or an old one, or none."""
        active = self.topic.manifest.active.file
        path = self.directory / active
        self.close()
        durable_end = max(
            (one.end for at, one in self.kept.items() if one.file == active and at < self.durable), default=0
        )
        cut = data.draw(st.integers(durable_end, path.stat().st_size), label="cut")
        rest = data.draw(st.binary(max_size=40), label="torn")
        with path.open("r+b") as file:
            file.truncate(cut)
            file.seek(cut)
            file.write(rest)
        head = data.draw(st.sampled_from([None, None, *self.heads[-2:], bytes(HEAD_BYTES), b"torn" * 19]), label="head")
        if head is not None:
            (self.directory / "head").write_bytes(head)
        self.heads.clear()  # what the disk holds from now on comes after this
        self.survive(active, cut)
        self.open()
        if head is not None:
            self.forget_the_damaged_end(active)
        assert self.topic.current().next == self.next
        assert self.topic.current().durable == self.next

    @rule()
    def reopen(self) -> None:
        """Everything was written and nothing cut: what was not flushed is kept, too."""
        self.close()
        self.open()
        self.durable = self.next

    @precondition(lambda self: self.durable)
    @rule(data=st.data())
    def flip(self, data: st.DataObject) -> None:
        last = self.durable - 1  # its damage looks like a torn write: worth more than its share
        one = self.kept[data.draw(st.just(last) | st.integers(0, last), label="offset")]
        position = data.draw(st.integers(one.start, one.end - 1), label="position")
        bit = 1 << data.draw(st.integers(0, 7), label="bit")
        with (self.directory / one.file).open("r+b") as file:
            file.seek(position)
            byte = file.read(1)[0] ^ bit
            file.seek(position)
            file.write(bytes([byte]))
        self.flipped ^= {(one.file, position, bit)}

    # ---- what must hold ----

    @invariant()
    def a_reader_sees_exactly_what_is_durable(self) -> None:
        if not hasattr(self, "topic"):
            return
        cursor = Cursor(self.topic, 0)
        expected = 0
        while item := cursor.read(3):
            if isinstance(item, Batch):
                for record in item.records:
                    assert record.position.offset == expected
                    assert record.value == self.kept[expected].value
                    expected += 1
            else:
                assert (item.first, item.cause) == (expected, "damaged")
                assert all(self.is_damaged(offset) for offset in range(item.first, item.end))
                expected = item.end
        cursor.close()
        assert expected == self.durable

    # ---- the model ----

    def a_record(self, size: int) -> Record:
        self.written += 1
        return Record("topic", b"key", b"%d " % self.written + bytes(size), float(self.written), ())

    def is_damaged(self, offset: int) -> bool:
        one = self.kept[offset]
        return any(file == one.file and one.start <= position < one.end for file, position, _ in self.flipped)

    def survive(self, active: str, cut: int) -> None:
        """A crash leaves the whole frames before the cut."""
        lost = [offset for offset, one in self.kept.items() if one.file == active and one.end > cut]
        for offset in lost:
            del self.kept[offset]
        self.next = self.durable = min(lost, default=self.next)

    def forget_the_damaged_end(self, active: str) -> None:
        """Without the head's witness, damage at the very end looks like a write that was cut off: the one case in
        which a damaged record is not reported (two faults at once)."""
        head = self.topic.current()
        while self.next > head.next:
            self.next -= 1
            assert self.kept[self.next].file == active
            assert self.is_damaged(self.next)
            self.flipped -= {
                flip for flip in self.flipped if flip[0] == active and flip[1] >= self.kept[self.next].start
            }
            del self.kept[self.next]
        self.durable = self.next


Segments.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSegments = Segments.TestCase
