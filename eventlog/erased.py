"""Who asked to be forgotten (`<prefix>.erased`): what of them was received before is sent to nobody any more.

The topic is compacted, and never expires. It holds an entry for the id of each visitor, person and event, under a keyed hash:
`{"at": "<RFC 3339>"}`; under `<hash>:known` one for a device that others use too: of that only what is known goes. The key
is a record of the topic itself, the first of them, so that a list outlives the secrets of the settings, and a forwarder
needs none (docs/decisions/0011-erase.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import orjson

from base.clock import Clock, rfc3339
from base.logs import Logger
from eventlog.errors import LogError
from eventlog.event import Event
from eventlog.log import LogScanner, Record, StoredRecord

FOLLOW_SECONDS: Final = 1.0  # between two looks at the list
FRESH_SECONDS: Final = 2.5  # after a look, nothing is sent before the next
_KEY: Final = b"key:"
_KEY_BYTES: Final = 16
_KNOWN: Final = b":known"


@dataclass(slots=True)
class Erased:
    """The list, as far as it was read. `end` is the next offset; `read`: all that stood there was taken in once;
    `looked`: when the last look at it began (monotonic), None where nobody follows it."""

    end: int = 0
    read: bool = False
    looked: float | None = None
    _key: bytes = b""
    _newest: str = ""
    _entries: dict[bytes, tuple[str, int]] = field(default_factory=dict)  # hash -> when, and where in the topic

    @property
    def has_key(self) -> bool:
        return bool(self._key)

    def is_fresh(self, now: float) -> bool:
        """Whether it may be sent by (`now`: monotonic). Who stood still, or is cut off from the log, has to look first."""
        return self.looked is None or now - self.looked <= FRESH_SECONDS

    def take(self, record: StoredRecord) -> None:
        self.end = record.position.offset + 1
        if record.value is None:
            self._entries.pop(record.key, None)
        elif record.key.startswith(_KEY):
            self._key = self._key or bytes.fromhex(orjson.loads(record.value)["key"])  # of two at once the first holds
        else:
            at = orjson.loads(record.value)["at"]
            self._entries[record.key] = at, record.position.offset
            self._newest = max(self._newest, at)

    def entries(self, topic: str, ids: Iterable[str], shared: Iterable[str], at: float) -> list[Record]:
        """What forgets `ids`, and what is known of `shared`, from the moment `at` (seconds since the epoch) on."""
        body = orjson.dumps({"at": rfc3339(at)})
        keys = (*map(self._hash, ids), *(self._hash(each) + _KNOWN for each in shared))
        return [Record(topic, key, body, at) for key in keys]

    def denies(self, event: Event) -> bool:
        """It was received before its visitor, or the person it is of, was erased. In a log that has been read to its
        end, no event is older than the newest entry: then this is one comparison."""
        if event.receivedtime >= self._newest:
            return False
        ids = (self._hash(each) for each in (event.subject, event.person, event.id) if each)
        return any(event.receivedtime < self._at(key, 0) for key in ids)

    def forgets(self, visitor: str, written: float = 0.0, offset: int = 0) -> bool:
        """What was known of them at that moment (seconds since the epoch), by the list's entries from `offset` on."""
        if self.end <= offset or not self._entries:
            return False
        key = self._hash(visitor)
        return rfc3339(written) < max(self._at(key, offset), self._at(key + _KNOWN, offset))

    def _at(self, key: bytes, offset: int) -> str:
        at, place = self._entries.get(key, ("", 0))
        return at if place >= offset else ""

    def _hash(self, visitor: str) -> bytes:
        text = visitor.encode("utf-8", "surrogatepass")
        return blake2b(text, key=self._key, digest_size=16).hexdigest().encode()


def key_record(topic: str, random: bytes, now: float) -> Record:
    """For a list that has none. `random`: twice as many bytes as a key has."""
    name, key = random[:_KEY_BYTES].hex(), random[_KEY_BYTES:].hex()
    return Record(topic, _KEY + name.encode(), orjson.dumps({"key": key}), now)


async def take_in(erased: Erased, scanner: LogScanner, topic: str) -> None:
    """What has come since the last time. LogError when the log can't be read."""
    for partition, (first, end) in (await scanner.bounds(topic)).items():
        if erased.end < end:
            async for record in scanner.scan(topic, ranges={partition: (max(first, erased.end), end)}):
                erased.take(record)
            erased.end = end
    erased.read = True


async def follow(erased: Erased, scanner: LogScanner, topic: str, clock: Clock, log: Logger) -> None:
    """Until it is cancelled."""
    told = ""
    while True:
        began = clock.monotonic()
        try:
            await take_in(erased, scanner, topic)
            erased.looked, told = began, ""
        except LogError as error:
            if str(error) != told:
                log.warning("erased.unread", topic=topic, error=str(error))
            told = str(error)
        await clock.sleep(FOLLOW_SECONDS)
