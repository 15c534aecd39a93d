"""What of one partition is settled. Only the contiguous part may be committed: all below it is delivered or told of."""

from collections import deque
from collections.abc import Iterable


class Offsets:
    """`start` is the first offset that this reader will take."""

    def __init__(self, start: int) -> None:
        self._end = start
        self._taken: deque[int] = deque()
        self._settled: set[int] = set()

    def take(self, offsets: Iterable[int], end: int) -> None:
        """`offsets` ascend and lie below `end`, where the next take goes on. None taken: a hole up to `end`."""
        self._taken.extend(offsets)
        self._end = end

    def _advance(self) -> None:
        """Only when it is asked for: thousands are settled between two commits."""
        taken, settled = self._taken, self._settled
        while taken and taken[0] in settled:
            settled.remove(taken.popleft())

    def settle(self, offset: int) -> None:
        """`offset` was taken and is not settled yet."""
        self._settled.add(offset)

    @property
    def committable(self) -> int:
        """The next offset to read, were this process to die now."""
        self._advance()
        return self._taken[0] if self._taken else self._end

    @property
    def ahead(self) -> int:
        """Settled ones that can't be committed, for one before them is not settled."""
        self._advance()
        return len(self._settled)

    @property
    def waiting(self) -> int:
        return len(self._taken) - len(self._settled)
