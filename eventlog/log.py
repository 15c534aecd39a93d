"""The seams between what comes in and what goes out.

A LogWriter makes records durable, a LogReader hands them to one consumer group, a LogScanner looks without a group.
Implementations: `memory` (ships for tests and `explain`), `embedded` (the default), `kafka`. One contract suite
(tests/contract) runs over all three.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from base.values import Value
from eventlog.errors import AppendError

Headers = tuple[tuple[str, bytes], ...]
Start = Literal["earliest", "now"] | float  # for a group that has never committed; a float is seconds since the epoch


class Record(Value, frozen=True):
    """`value` None is a tombstone: in a compacted topic it erases `key`. `timestamp` in seconds since the epoch."""

    topic: str
    key: bytes
    value: bytes | None
    timestamp: float
    headers: Headers = ()


class Position(Value, frozen=True):
    topic: str
    partition: int
    offset: int


class StoredRecord(Value, frozen=True):
    position: Position
    key: bytes
    value: bytes | None
    timestamp: float
    headers: Headers = ()

    def is_asked_for(self, since: float | None, until: float | None, containing: bytes | None) -> bool:
        """As `LogScanner.scan` means them."""
        if (since is not None and self.timestamp < since) or (until is not None and self.timestamp >= until):
            return False
        return containing is None or containing in (self.value or b"")


Settled = Callable[[Record, Position | AppendError], None]


class LogState(Value, frozen=True):
    """`degraded` still makes records durable (in the spool); `down` makes none. `detail` is a sentence for people."""

    status: Literal["ok", "degraded", "down"]
    detail: str = ""
    in_flight: int = 0
    spooled: int = 0


class LogWriter(Protocol):
    def append(self, records: Sequence[Record], settled: Settled) -> None:
        """Call on the event loop. `settled` is called on the loop, later, exactly once a record and in any order;
        what it raises is logged and stops nobody else's answer. Order is kept among records of one key."""
        ...

    def state(self) -> LogState: ...

    async def close(self, deadline: float) -> None:
        """Settles what is in flight, within `deadline` seconds; what is left then is settled with LogUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one partition in offset order. `next_offset` is what to commit once all are settled."""

    topic: str
    partition: int
    records: tuple[StoredRecord, ...]
    next_offset: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """`committed` is where this partition goes on; None: the group starts here for the first time, at `start`. `note` is
    what was committed with it, perhaps by another host."""

    topic: str
    partition: int
    committed: int | None
    start: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Nothing of this partition may be committed any more."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets `first` up to, not including, `end` are gone: expired before they were read, or damaged on disk."""

    topic: str
    partition: int
    first: int
    end: int
    cause: Literal["expired", "damaged"]


Item = Batch | Assigned | Revoked | Gap


NOTE_CHARACTERS: Final = 4000  # Kafka takes 4096 with an offset


class LogReader(Protocol):
    async def next(self, max_records: int, wait: float) -> Item | None:
        """The next item, or None after `wait` seconds. `max_records` 0: membership only, no batch (a paused reader
        keeps its partitions this way). Batches of a partition follow each other without a hole but for a Gap."""
        ...

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        """Durable when it returns: `offset` is the next to read. Fenced when the partition is another's by now. `note`,
        of NOTE_CHARACTERS at most (ASCII), stands beside it until the next commit; a broker may not want it."""
        ...

    async def close(self, deadline: float) -> None: ...


class LogScanner(Protocol):
    def scan(
        self,
        topic: str,
        since: float | None = None,
        ranges: Mapping[int, tuple[int, int]] | None = None,
        *,
        until: float | None = None,
        containing: bytes | None = None,
    ) -> AsyncGenerator[StoredRecord, None]:
        """What stood in the topic when the scan began, partition after partition, in offset order.

        `since`: only records with that timestamp (seconds since the epoch) or later; `until`: only earlier ones, and a
        partition may be given up at the first that is not. `ranges`: partition -> (first offset, end exclusive), and
        no other partition. `containing`: only records with these bytes in their value, found without decoding others.
        """
        ...

    async def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """partition -> (earliest offset, the next one to be written). Empty for a topic that does not exist."""
        ...

    async def committed(self, group: str, topic: str) -> Mapping[int, int]:
        """partition -> the group's committed offset; partitions it never committed are left out."""
        ...


class EventLog(Protocol):
    """One implementation's way in. `open_*` are called on the running loop; each is closed by who opened it."""

    async def open_writer(self) -> LogWriter: ...

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader: ...

    async def open_scanner(self) -> LogScanner: ...
