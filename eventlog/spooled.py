"""A record as it waits in the spool: itself under the spool's topic, with its own topic in a header in front."""

from typing import Final

from eventlog.event import RECORD_HEADERS
from eventlog.log import Record, StoredRecord

_TOPIC: Final = "spooled-topic"
_EVENT: Final = RECORD_HEADERS[0]


def wrap(record: Record, topic: str) -> Record:
    header = (_TOPIC, record.topic.encode())
    return Record(topic, record.key, record.value, record.timestamp, (header, *record.headers))


def unwrap(stored: StoredRecord) -> Record:
    """ValueError for a record that `wrap` did not make."""
    name, topic = stored.headers[0] if stored.headers else ("", b"")
    if name != _TOPIC:
        raise ValueError(f"{stored.position} is no spooled record")
    return Record(topic.decode(), stored.key, stored.value, stored.timestamp, stored.headers[1:])


def flagged(record: Record, *, maybe_duplicate: bool) -> Record:
    """An event says that it was spooled, and that the log may hold it twice; other records are left as they are.

    The attributes are put in front, so that not one byte of the rest is read or changed.
    """
    if record.value is None or _EVENT not in record.headers or not record.value.startswith(b'{"'):
        return record
    value = _with(record.value, b'"spooled":true,')
    if maybe_duplicate:
        value = _with(value, b'"maybeduplicate":true,')
    return Record(record.topic, record.key, value, record.timestamp, record.headers)


def _with(value: bytes, attribute: bytes) -> bytes:
    said = value[:64].find(attribute)  # by an earlier call: nobody else puts it in front
    return value if said > 0 else b"{" + attribute + value[1:]
