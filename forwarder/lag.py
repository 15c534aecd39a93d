"""How many events a destination is behind: of the partitions that are held here, those not settled; while none is held,
all that the group has not committed. So it does not read 0 while Kafka is back and the group has not come together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock
from eventlog.log import LogScanner

ASK_SECONDS: Final = 5.0  # from one question to the next what the group has committed, which costs a client on Kafka


@dataclass(slots=True, kw_only=True)
class Lag:
    """`ends`: partition -> the first offset that is not settled, of those that are held."""

    topic: str
    group: str
    scanner: LogScanner
    ends: Callable[[], Mapping[int, int]]
    clock: Clock
    _committed: Mapping[int, int] = field(init=False, default_factory=dict)
    _asked: float | None = field(init=False, default=None)  # monotonic

    async def measure(self) -> int:
        """LogError when the log can't be asked. A group that never committed has all before it."""
        bounds = await self.scanner.bounds(self.topic)
        if ends := self.ends():
            self._asked = None
        else:
            await self._ask()
            ends = {number: max(first, self._committed.get(number, first)) for number, (first, _) in bounds.items()}
        return max(0, sum(bounds[number][1] - end for number, end in ends.items() if number in bounds))

    async def _ask(self) -> None:
        now = self.clock.monotonic()
        if self._asked is None or now - self._asked >= ASK_SECONDS:
            self._committed = await self.scanner.committed(self.group, self.topic)
            self._asked = now
