"""The bytes of a segment: frames, one a record, one after another.

    magic 4 | length 4 | crc32c 4 | sequence 8 | timestamp 8 | key length 4 | value length 4 | headers 4 | key, value, headers

Little-endian. `length` counts what follows the checksum, `crc32c` covers it. `sequence` is the record's offset. A value
length of -1 is a tombstone. A header is name length 4, value length 4, name, value. No UTF-8 text holds the magic, so
nothing that a visitor sent can pass for a frame when a reader looks for the next whole one behind damage.
"""

from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from eventlog.appending import MAX_RECORD_BYTES
from eventlog.log import Headers, Record

MAGIC: Final = b"\xf8OC\xff"
_PREFIX: Final = Struct("<4sII")
_META: Final = Struct("<QdIiI")
_FIXED: Final = Struct(_PREFIX.format + _META.format[1:])
_HEADER: Final = Struct("<II")
MAX_FRAME: Final = MAX_RECORD_BYTES + 64 * 1024  # room for the lengths; a longer frame is damage


class Frame(NamedTuple):
    """`start` and `end` are positions in the file."""

    sequence: int
    timestamp: float
    key: bytes
    value: bytes | None
    headers: Headers
    start: int
    end: int


def encode(records: Iterable[Record], first: int) -> bytes:
    """One group's frames. `first` is the first record's sequence."""
    parts: list[bytes] = []
    known: Headers = ()  # nearly all records carry the same headers object
    packed = b""
    for sequence, record in enumerate(records, first):
        key, value, headers = record.key, record.value, record.headers
        if headers is not known:
            known, packed = headers, _pack_headers(headers)
        length = -1 if value is None else len(value)
        body = b"%b%b%b%b" % (
            _META.pack(sequence, record.timestamp, len(key), length, len(headers)),
            key,
            value or b"",
            packed,
        )
        parts += (_PREFIX.pack(MAGIC, len(body), crc32c(body)), body)
    return b"".join(parts)


def frame_at(buffer: bytes, at: int, origin: int = 0) -> Frame | None:
    """The whole, undamaged frame that begins at `at`, or None. `origin` is the buffer's own position in the file."""
    if len(buffer) - at < _FIXED.size:
        return None
    magic, length, checksum, sequence, timestamp, key_length, value_length, headers = _FIXED.unpack_from(buffer, at)
    begin = at + _PREFIX.size
    end = begin + length
    if magic != MAGIC or end > len(buffer) or crc32c(buffer[begin:end]) != checksum:
        return None
    key_begin = at + _FIXED.size
    value_begin = key_begin + key_length
    value_end = value_begin + max(value_length, 0)
    return Frame(
        sequence,
        timestamp,
        buffer[key_begin:value_begin],
        None if value_length < 0 else buffer[value_begin:value_end],
        _unpack_headers(buffer[value_end:end], headers) if headers else (),
        origin + at,
        origin + end,
    )


def length_at(buffer: bytes) -> int:
    """How many bytes the frame at the buffer's beginning says it has; 0 when no frame begins there."""
    if len(buffer) < _PREFIX.size:
        return 0
    magic, length, _ = _PREFIX.unpack_from(buffer)
    size: int = _PREFIX.size + length
    return size if magic == MAGIC and size <= MAX_FRAME else 0


def _pack_headers(headers: Headers) -> bytes:
    named = [(name.encode(), value) for name, value in headers]
    return b"".join(_HEADER.pack(len(name), len(value)) + name + value for name, value in named)


@lru_cache(maxsize=64)
def _unpack_headers(packed: bytes, count: int) -> Headers:
    """Kept, as nearly all records carry the same."""
    headers, at = [], 0
    for _ in range(count):
        name_length, value_length = _HEADER.unpack_from(packed, at)
        at += _HEADER.size
        middle, end = at + name_length, at + name_length + value_length
        headers.append((packed[at:middle].decode(), packed[middle:end]))
        at = end
    return tuple(headers)
