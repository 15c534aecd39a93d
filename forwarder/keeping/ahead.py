"""What is settled at or beyond the committed offsets: this host sends it no more, neither after a crash nor when a
partition that was lost comes back.

A line of JSON for what was settled together, in `<data_dir>/forwarder/<destination>.ahead`, is written before its
visitor's next call, and left to the system to bring to the disk: a kill -9 loses none, a power loss some, which then go
out again. No line can cost an event: it was written after the reply (or the dead letter, or the parked record), and
counts only where the log has that very id at that very offset.

What of it is delivered or dead stands in a note beside the committed offset, too, for another host that takes a
partition over (`forwarder/keeping/notes.py`); what is parked stands in a topic.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from base.files import write_whole
from base.logs import Logger
from forwarder.destinations.base import Outcome
from forwarder.keeping import notes
from forwarder.keeping.receipts import Told
from forwarder.work import Work

RENEW_BYTES: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class _Partition:
    """`told` by offset, none below `committed`. `bits`: which of them are delivered, the lowest is at `committed`.
    `letters`: where the dead ones are, also one of which more has been told since."""

    committed: int
    told: dict[int, Told] = field(default_factory=dict)
    bits: int = 0
    letters: set[int] = field(default_factory=set)
    heard: notes.Heard | None = None

    def tell(self, places: Sequence[tuple[int, str]], outcome: Outcome, answer: int | None) -> None:
        """`places`: offset and event's id."""
        self.told.update([(offset, (event_id, outcome, answer)) for offset, event_id in places])
        if outcome.kind == "delivered":
            self.bits |= notes.bits_of([offset - self.committed for offset, _ in places])
        elif outcome.kind == "dead":
            self.letters.update([offset for offset, _ in places])

    def move(self, committed: int) -> None:
        """Whoever goes back wants it all again."""
        if committed < self.committed:
            self.told.clear()
            self.letters.clear()
            self.bits = 0
        self.bits >>= max(0, committed - self.committed)
        self.committed = committed
        self.told = {offset: told for offset, told in self.told.items() if offset >= committed}
        self.letters = {offset for offset in self.letters if offset >= committed}

    def lines(self, number: int) -> Iterator[bytes]:
        yield orjson.dumps((number, self.committed)) + b"\n"
        for offset, (event_id, outcome, answer) in self.told.items():
            yield _line(number, outcome, answer, [(offset, event_id)])


class Ahead:
    """One destination's. Where the file can't be written, this process knows it all the same."""

    def __init__(self, path: Path, log: Logger) -> None:
        self._path = path
        self._log = log
        self._partitions: dict[int, _Partition] = {}
        self._lines: list[bytes] = []
        self._file: int | None = None
        self._size = self._renewed = 0  # bytes of the file, and what it had when it was made
        self._failed = False
        self._unread = True

    def committed(self, partition: int, offset: int) -> None:
        """Also where the partition begins, when it is assigned. Read before the first of those and no sooner: until then
        the process that this one takes over from may write."""
        if self._unread:
            self._read()
        self._partitions.setdefault(partition, _Partition(offset)).move(offset)
        if self._file is None or self._size > max(RENEW_BYTES, 2 * self._renewed):
            self._renew()
        else:
            self._lines.append(orjson.dumps((partition, offset)) + b"\n")
            self.write()

    def add(self, works: Iterable[Work], outcome: Outcome, answer: int | None) -> None:
        """`answer` is the HTTP status of the reply. Durable, as far as it is here, after the next `write`."""
        added: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for work in works:
            known = self._partitions.get(work.partition)
            if known is not None and work.offset >= known.committed:
                added[work.partition].append((work.offset, work.event.id))
        for number, places in added.items():
            self._partitions[number].tell(places, outcome, answer)
            self._lines.append(_line(number, outcome, answer, places))

    def told(self, work: Work) -> Told | None:
        known = self._partitions.get(work.partition)
        if known is None:
            return None
        if known.heard is not None and (heard := known.heard.tells_of(work)) and work.offset not in known.told:
            self.add([work], *heard)
        told = known.told.get(work.offset)
        return told if told is not None and told[0] == work.event.id else None

    def note(self, partition: int, offset: int) -> str:
        """To be committed with `offset`."""
        known = self._partitions.get(partition)
        if known is None or offset < known.committed:
            return ""
        letters = sorted([place for place in known.letters if place >= offset])  # few, and most often none
        return notes.encode(offset, known.told, known.bits >> (offset - known.committed), letters)

    def hear(self, partition: int, offset: int, note: str) -> None:
        """What was committed with `offset`, where the partition begins."""
        self._partitions[partition].heard = notes.decode(offset, note)

    def write(self) -> None:
        lines, self._lines = self._lines, []
        if not lines or self._file is None:
            return
        try:
            self._size += os.write(self._file, b"".join(lines))
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None

    def _renew(self) -> None:
        """A file of what is still known, in place of one that holds much else."""
        self.close()
        self._lines.clear()
        body = b"".join(line for number, known in self._partitions.items() for line in known.lines(number))
        try:
            write_whole(self._path, body)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            self._fail(error)
        self._size = self._renewed = len(body)

    def _fail(self, error: OSError) -> None:
        """Told once. The next commit tries a new file."""
        self.close()
        if not self._failed:
            self._log.warning("ahead.unwritten", path=str(self._path), error=str(error))
        self._failed = True

    def _read(self) -> None:
        """What a power loss has torn or mixed up is passed over."""
        self._unread = False
        if not self._path.is_file():
            return
        for line in self._path.read_bytes().splitlines():
            with suppress(orjson.JSONDecodeError):
                self._take(orjson.loads(line))

    def _take(self, line: object) -> None:
        match line:
            case [int(partition), int(offset)]:
                self._partitions.setdefault(partition, _Partition(offset)).move(offset)
            case [
                int(partition),
                ("delivered" | "dead" | "parked") as kind,
                str(reason),
                bool(late),
                int() | None as answer,
                [*found],
            ] if places := sorted(_places(found)):
                known = self._partitions.setdefault(partition, _Partition(places[0][0]))
                ahead = [place for place in places if place[0] >= known.committed]
                known.tell(ahead, Outcome(kind, reason, late=late), answer)


def _places(found: Iterable[object]) -> Iterator[tuple[int, str]]:
    for place in found:
        match place:
            case [int(offset), str(event_id)]:
                yield offset, event_id


def _line(partition: int, outcome: Outcome, answer: int | None, places: Sequence[tuple[int, str]]) -> bytes:
    line = (partition, outcome.kind, str(outcome.reason), outcome.late, answer, places)
    return orjson.dumps(line) + b"\n"
