"""A record as it waits in the spool: itself under the spool's topic, with its own topic in a header in front."""

from functools import lru_cache
from typing import Final

from eventlog.event import RECORD_HEADERS
from eventlog.log import Record, StoredRecord

_TOPIC: Final = "spooled-topic"
_EVENT: Final = RECORD_HEADERS[0]
_SPOOLED: Final = b'"spooled":true,'
_MAYBE_DUPLICATE: Final = b'"maybeduplicate":true,'


def wrap(record: Record, topic: str) -> Record:
    header = (_TOPIC, record.topic.encode())
    return Record(topic, record.key, record.value, record.timestamp, (header, *record.headers))


def unwrap(stored: StoredRecord) -> Record:
    """ValueError for a record that `wrap` did not make."""
    return Record(topic_of(stored), stored.key, stored.value, stored.timestamp, stored.headers[1:])


def topic_of(stored: StoredRecord) -> str:
    """Where it is to go. ValueError for a record that `wrap` did not make."""
    name, topic = stored.headers[0] if stored.headers else ("", b"")
    if name != _TOPIC:
        raise ValueError(f"{stored.position} is no spooled record")
    return _decoded(topic)


@lru_cache(maxsize=64)
def _decoded(topic: bytes) -> str:
    return topic.decode()


def is_event(record: Record) -> bool:
    return record.value is not None and _EVENT in record.headers and record.value.startswith(b'{"')


def flagged(record: Record, *, maybe_duplicate: bool) -> Record:
    """An event says that it was spooled, and that the log may hold it twice; other records are left as they are.

    The attributes are put in front, so that not one byte of the rest is read or changed.
    """
    if record.value is None or not is_event(record):
        return record
    front = (_MAYBE_DUPLICATE if maybe_duplicate or is_maybe_duplicate(record.value) else b"") + _SPOOLED
    return Record(record.topic, record.key, b"{" + front + bare(record.value)[1:], record.timestamp, record.headers)


def is_maybe_duplicate(value: bytes | None) -> bool:
    return value is not None and value.startswith(_MAYBE_DUPLICATE, 1)


def bare(value: bytes) -> bytes:
    """Without what `flagged` has put in front: nobody else puts it there."""
    front = 1
    for attribute in (_MAYBE_DUPLICATE, _SPOOLED):
        if value.startswith(attribute, front):
            front += len(attribute)
    return value if front == 1 else b"{" + value[front:]
