"""Records on their way straight to the log, in the order in which they came, for whoever loses patience with it."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from base.logs import Logger
from eventlog.appending import tell
from eventlog.errors import AppendError
from eventlog.log import LogWriter, Position, Record, Settled


class Sent(Struct, eq=False):
    """`under_way` until the log has answered, `landed` if it has it; `told` once its sender knows what became of it.
    `taken_over`: it is the spool's too, at `place`, or `refused` by it while the log may still take it."""

    record: Record
    settled: Settled
    since: float
    under_way: bool = True
    landed: bool = False
    told: bool = False
    taken_over: bool = False
    place: int | None = None
    refused: AppendError | None = None


class Straight:
    """`failed` is told of each failure after which the same record may go again: take all over then. `count` is what
    the log has not answered yet, taken over or not; `landed` the places in the spool of what the log took after all."""

    def __init__(self, log: LogWriter, failed: Callable[[AppendError], None], logger: Logger) -> None:
        self._log, self._failed, self._logger = log, failed, logger
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Sent] = deque()
        self.count = 0
        self.landed: set[int] = set()

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        now = self._loop.time()
        self.count += len(records)
        on_the_way: dict[int, Sent] = {}
        for record in records:
            sent = on_the_way[id(record)] = Sent(record, settled, now)
            self._waiting.append(sent)
        self._log.append(records, partial(self._answered, on_the_way))

    def oldest(self) -> float | None:
        """Since when the oldest waits, by the loop's clock; None when nothing does."""
        return self._waiting[0].since if self._waiting else None

    def take_over(self) -> list[Sent]:
        """All that wait, in their order; the log may still answer each."""
        waiting = [sent for sent in self._waiting if not sent.told]
        self._waiting.clear()
        for sent in waiting:
            sent.taken_over = True
        return waiting

    def spooled(self, sent: Sent, outcome: Position | AppendError) -> None:
        """What the spool says of what was taken over. It may refuse, and the log still take it: then that counts."""
        if isinstance(outcome, AppendError) and sent.under_way:
            sent.refused = outcome
        else:
            sent.place = None if isinstance(outcome, AppendError) else outcome.offset
            self._note(sent)
            self._tell(sent, outcome)

    def _answered(self, on_the_way: dict[int, Sent], record: Record, outcome: Position | AppendError) -> None:
        """`on_the_way`: what was appended together, by the records' ids."""
        sent = on_the_way[id(record)]
        self.count -= 1
        sent.under_way = False
        if not isinstance(outcome, AppendError):
            sent.landed = True
            self._note(sent)
            self._tell(sent, outcome)
        elif sent.refused is not None:
            self._tell(sent, sent.refused)
        elif outcome.retriable:
            self._failed(outcome)
        elif not sent.taken_over:
            self._tell(sent, outcome)

    def _note(self, sent: Sent) -> None:
        if sent.landed and sent.place is not None:
            self.landed.add(sent.place)

    def _tell(self, sent: Sent, outcome: Position | AppendError) -> None:
        if not sent.told:
            sent.told = True
            while self._waiting and self._waiting[0].told:
                self._waiting.popleft()
            tell(sent.settled, sent.record, outcome, self._logger)
