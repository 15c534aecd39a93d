"""Which events go out together. A visitor is busy while a unit holds one of theirs: then their later events wait here.

That is the whole of order per visitor: events leave in the order they came, and no visitor is in two units at a time.
"""

import heapq
import math
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from forwarder.destinations.base import BatchPolicy
from forwarder.work import Work

LANE_EVENTS = 8  # of one visitor in a unit: what is settled far ahead of others is what a crash sends again


class Queue(Protocol):
    """Pure: `now` is monotonic seconds. `take` makes its visitors busy until `release`."""

    def add(self, work: Work) -> None: ...

    def take(self, now: float) -> list[Work]: ...

    def claim(self, subject: str) -> bool:
        """Makes a visitor busy who is not; False when they are."""
        ...

    def release(self, subjects: frozenset[str]) -> None: ...

    def due(self, now: float) -> float | None:
        """Seconds until `take` may give what it does not give now, unless something is added or released."""
        ...


class Lanes:
    """For destinations that take one event a call: a unit is the next events of one visitor. Whose first event came
    first has the turn, so that what is settled stays close to what can be committed."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[tuple[int, Work]]] = {}  # with the number of its coming
        self._ready: list[tuple[int, str]] = []  # a heap by the number of the lane's first
        self._busy: set[str] = set()
        self._numbers = count()

    def add(self, work: Work) -> None:
        lane = self._lanes.setdefault(work.subject, deque())
        lane.append((next(self._numbers), work))
        if len(lane) == 1:
            self._offer(work.subject)

    def _offer(self, subject: str) -> None:
        if subject in self._lanes and subject not in self._busy:
            heapq.heappush(self._ready, (self._lanes[subject][0][0], subject))

    def take(self, now: float) -> list[Work]:  # noqa: ARG002 - a lane never waits for company
        while self._ready:
            _, subject = heapq.heappop(self._ready)
            lane = self._lanes.get(subject)
            if lane is None or subject in self._busy:
                continue  # claimed since: release has offered it again, or will
            works = [lane.popleft()[1] for _ in range(min(LANE_EVENTS, len(lane)))]
            if not lane:
                del self._lanes[subject]
            self._busy.add(subject)
            return works
        return []

    def claim(self, subject: str) -> bool:
        free = subject not in self._busy
        self._busy.add(subject)
        return free

    def release(self, subjects: frozenset[str]) -> None:
        self._busy -= subjects
        for subject in subjects:
            self._offer(subject)

    def due(self, now: float) -> float | None:  # noqa: ARG002 - as take
        return None


@dataclass(slots=True)
class _Free:
    """The free visitors' events, as a look through all found them, and with those that came since."""

    events: int = 0
    bytes: int = 0
    oldest: float = math.inf  # since when it waits

    def add(self, work: Work) -> None:
        self.events += 1
        self.bytes += work.size
        self.oldest = min(self.oldest, work.taken)


class Batcher:
    """A batch is full at the policy's events or bytes, and goes anyway when its oldest has waited for its age."""

    def __init__(self, policy: BatchPolicy) -> None:
        self._policy = policy
        self._waiting: deque[Work] = deque()
        self._busy: set[str] = set()
        self._free: _Free | None = _Free()  # None: to be looked for; thousands may wait, mostly for the busy ones

    def add(self, work: Work) -> None:
        self._waiting.append(work)
        if self._free is not None and work.event.subject not in self._busy:
            self._free.add(work)

    def take(self, now: float) -> list[Work]:
        if self._free is not None and not self._is_due(self._free, now):
            return []
        works, free = self._next()
        if not self._is_due(free, now):
            self._free = free  # all of them
            return []
        if works[-1] is self._waiting[len(works) - 1]:  # nobody was passed over
            for _ in works:
                self._waiting.popleft()
        else:
            chosen = set(map(id, works))
            self._waiting = deque([work for work in self._waiting if id(work) not in chosen])
        self._busy.update([work.event.subject for work in works])
        self._free = None
        return works

    def _is_due(self, free: _Free, now: float) -> bool:
        full = free.events >= self._policy.events or free.bytes >= self._policy.bytes
        return full or now >= free.oldest + self._policy.age

    def _next(self) -> tuple[list[Work], _Free]:
        """The free visitors' events in order, up to the limits, and what was found until then. One event that is larger
        than the limit goes alone."""
        works: list[Work] = []
        size, busy = 0, self._busy
        for work in self._waiting:
            if work.event.subject in busy:
                continue
            size += work.size
            if works and size > self._policy.bytes:
                break
            works.append(work)
            if len(works) == self._policy.events:
                break
        return works, _Free(len(works), size, works[0].taken if works else math.inf)

    def claim(self, subject: str) -> bool:
        free = subject not in self._busy
        self._busy.add(subject)
        self._free = None
        return free

    def release(self, subjects: frozenset[str]) -> None:
        self._busy -= subjects
        self._free = None

    def due(self, now: float) -> float | None:
        oldest = self._free.oldest if self._free is not None else self._oldest()
        return max(0.0, oldest + self._policy.age - now) if oldest < math.inf else None

    def _oldest(self) -> float:
        return next((work.taken for work in self._waiting if work.event.subject not in self._busy), math.inf)


def unit_events(policy: BatchPolicy) -> int:
    """The most events of a unit."""
    return LANE_EVENTS if policy.events == 1 else policy.events


def build_queue(policy: BatchPolicy) -> Queue:
    return Lanes() if policy.events == 1 else Batcher(policy)
