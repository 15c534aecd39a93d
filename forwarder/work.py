"""What travels through the engine: an event with its place in the log, and a unit of them that goes out together."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from base.reasons import Parked
from base.values import Value
from eventlog.event import Event
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request


class Evidence(Value, frozen=True):
    """The call that an outcome comes from, for the dead letter. Secrets still in it."""

    purpose: str
    request: Request
    reply: Reply | TransportError


class Waiting(Value, frozen=True):
    """How long a parked event has waited, and why. `since` in seconds since the epoch."""

    reason: Parked
    since: float


class Work(Struct, eq=False, gc=False):
    """Part of no cycle, and there are thousands (base/values.py). `live` is False once the partition is another's: then
    nothing of it counts here any more."""

    event: Event
    partition: int
    offset: int
    size: int  # bytes of the record
    taken: float  # monotonic
    waiting: Waiting | None = None
    attempts: int = 0
    first_attempt: float | None = None  # seconds since the epoch
    purposes: tuple[str, ...] = ()
    live: bool = True
    aside: bool = False  # parked, or about to be, while a unit or the queue still holds it

    @property
    def subject(self) -> str:
        return self.event.subject


class Unit(Struct, eq=False):
    """Works that one task brings out: one visitor's, or a batch. `parts` go one after the other, so that a halved
    batch keeps the order of each visitor. All its visitors are busy until it is done."""

    parts: deque[list[Work]]
    subjects: frozenset[str]
    slow: bool = False  # parked events: one try, then they wait for the next
    culprit: Work | None = None  # what failed last
    evidence: Evidence | None = None  # of its last call that only taught
    settled: int = 0  # its events that have an outcome
    finished: int = 0  # of these, those that are not parked
    fruitless: int = 0  # rounds in a row that made calls and settled nothing
    failures: int = 0  # troubles in a row
    alone: int = 0  # of these, those between which others passed
    passes: int = 0  # the breaker's count at the last failure
    failing_since: float = 0.0  # monotonic
    suspect: bool = False  # something in it fails while others pass: halved at once from now on
    denied: int = 0  # CREDENTIALS in a row
    aside: bool = False  # its events are parked: it ends with its round
    along: frozenset[str] = frozenset()  # visitors whose late events, which are parked, come along when it goes

    @classmethod
    def of(cls, works: Iterable[Work], *, slow: bool = False) -> "Unit":
        whole = list(works)
        return cls(deque([whole]), frozenset([work.event.subject for work in whole]), slow)

    def works(self) -> list[Work]:
        return [work for part in self.parts for work in part]

    def current(self) -> list[Work]:
        """The part that is under way, without what is settled or another's by now; empty when all is done."""
        while self.parts:
            part = self.parts[0]
            part[:] = [work for work in part if work.live]
            if part:
                return part
            self.parts.popleft()
        return []

    def keep(self, partitions: Collection[int]) -> None:
        """The others' events are another's by now: of those that were parked nobody else tells."""
        for work in self.works():
            work.live = work.live and work.partition in partitions

    def leave(self, gone: Collection[Work]) -> None:
        """`gone` are settled."""
        for part in self.parts:
            part[:] = without(part, gone)

    def split(self, works: Sequence[Work]) -> "Unit":
        """A unit of its own of these, which are all of their visitors'."""
        self.leave(works)
        unit = Unit.of(works)
        self.subjects -= unit.subjects
        return unit

    def halve(self, works: Sequence[Work]) -> None:
        """These of the current part go first, in two halves; copies of one event stay together."""
        part = self.parts.popleft()
        ids = list(dict.fromkeys(work.event.id for work in works))
        first, second = set(ids[: len(ids) // 2]), set(ids[len(ids) // 2 :])
        rest = [work for work in part if work.event.id not in first | second]
        for chosen in (rest, *([work for work in part if work.event.id in half] for half in (second, first))):
            if chosen:
                self.parts.appendleft(chosen)

    def passed(self) -> None:
        self.failures = self.alone = self.denied = 0


def without(works: Iterable[Work], gone: Iterable[Work]) -> list[Work]:
    ids = set(map(id, gone))
    return [work for work in works if id(work) not in ids]
