"""What is settled beyond a committed offset, in the text that stands beside it, for another host that takes the
partition over: `<delivered>` and, where there are dead ones, `:<dead>`.

- delivered: `<hash of the first one's id>:<status of its answer>:<how far it is beyond the offset>:<a bit for each from
  there on>`. A note of another log than this one has another event at that place, and none of its bits counts.
- dead, with commas between them: `<how far beyond the offset>.<reason>.<status of its answer>.<hash of its id>`. Each
  counts for itself, where that very event stands.

Where there is no room for all, the nearest are told of: what is not is tried once more. A forwarder that knows of
delivered ones only reads no note with dead ones, and sends all of it once more.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from base.reasons import Dead
from eventlog.log import NOTE_CHARACTERS
from forwarder.destinations.base import Outcome, dead, delivered
from forwarder.keeping.receipts import Told
from forwarder.work import Work

_NOTED: Final = (NOTE_CHARACTERS - 100) // 4 * 3 * 8  # bits: in base64, with the numbers before them
_NONE_DELIVERED: Final = "0::0:"
_REASONS: Final = frozenset(map(str, Dead))


@dataclass(frozen=True, slots=True)
class _Letter:
    guard: int
    outcome: Outcome
    answer: int | None


@dataclass(slots=True)
class Heard:
    """A note of another's. The lowest of its bits is at the offset `first`; they count once its guard has been seen.
    `letters` are the dead ones, by offset."""

    first: int
    bits: int
    guard: int
    answer: int | None
    letters: Mapping[int, _Letter]
    right: bool = False

    def tells_of(self, work: Work) -> tuple[Outcome, int | None] | None:
        """What became of it, and the status of the answer. Asked in the order of offsets."""
        beyond = work.offset - self.first
        if beyond == 0:
            self.right = _guard(work.event.id) == self.guard
        if self.right and beyond >= 0 and self.bits >> beyond & 1:
            return delivered(), self.answer
        letter = self.letters.get(work.offset)
        if letter is not None and letter.guard == _guard(work.event.id):
            return letter.outcome, letter.answer
        return None


def encode(offset: int, told: Mapping[int, Told], bits: int, letters: Iterable[int]) -> str:
    """What is to be committed with `offset`, of what is `told` by offset. `bits`: which are delivered, the lowest is at
    `offset`. `letters`: where to look for dead ones, at `offset` or beyond, ascending."""
    first = _delivered(offset, told, bits) if bits else _NONE_DELIVERED
    second = ",".join(_dead(offset, told, letters, NOTE_CHARACTERS - len(first)))
    if second:
        return f"{first}:{second}"
    return first if bits else ""


def decode(offset: int, note: str) -> Heard | None:
    """What was committed with `offset`. None: it is no note of ours. What a newer version added is passed over."""
    with suppress(ValueError):
        guard, answer, first, body, letters, *_ = (*note.split(":"), "")
        bits = int.from_bytes(b64decode(body, validate=True), "little")
        return Heard(offset + int(first), bits, int(guard), _status(answer), dict(_letters(offset, letters)))
    return None


def bits_of(places: Sequence[int]) -> int:
    """One for each, of those that a note could tell."""
    found = bytearray(min(max(places, default=0), 2 * _NOTED) // 8 + 1)
    for place in places:
        if place < 2 * _NOTED:
            found[place // 8] |= 1 << place % 8
    return int.from_bytes(found, "little")


def _delivered(offset: int, told: Mapping[int, Told], bits: int) -> str:
    first = (bits & -bits).bit_length() - 1
    event_id, _, answer = told[offset + first]
    bits = (bits >> first) & ((1 << _NOTED) - 1)
    body = b64encode(bits.to_bytes((bits.bit_length() + 7) // 8, "little")).decode()
    return f"{_guard(event_id)}:{answer or ''}:{first}:{body}"


def _dead(offset: int, told: Mapping[int, Told], letters: Iterable[int], room: int) -> Iterator[str]:
    """`room` in characters, with what stands before each."""
    for place in letters:
        event_id, outcome, answer = told[place]
        if outcome.kind == "dead" and outcome.reason in _REASONS:
            letter = f"{place - offset}.{outcome.reason}.{answer or ''}.{_guard(event_id)}"
            room -= 1 + len(letter)
            if room < 0:
                return
            yield letter


def _letters(offset: int, text: str) -> Iterator[tuple[int, _Letter]]:
    for letter in text.split(","):
        with suppress(ValueError):
            beyond, reason, answer, guard = letter.split(".")
            yield offset + int(beyond), _Letter(int(guard), dead(Dead(reason)), _status(answer))


def _status(text: str) -> int | None:
    return int(text) if text else None


def _guard(event_id: str) -> int:
    return crc32(event_id.encode())
