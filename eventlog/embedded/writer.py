"""Group commit: what queues while one group is on its way to the disk goes together in the next."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count, repeat
from threading import Thread
from typing import Final

from base.clock import Clock
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.appending import tell, too_large
from eventlog.embedded.appenders import Appenders
from eventlog.embedded.cursor import PARTITION
from eventlog.embedded.queue import Entry, Group, GroupQueue
from eventlog.errors import AppendError, LogUnavailable
from eventlog.log import LogState, Position, Record, Settled

_UPKEEP_SECONDS: Final = 60.0
_PROBE_SECONDS: Final = 1.0  # a log that is down looks for itself whether the disk takes anything again


class EmbeddedWriter:
    """`append` only queues. One thread writes and flushes, which leaves the loop free, and comes back to the loop once
    a group."""

    def __init__(
        self, appenders: Appenders, upkeep: Callable[[], None], clock: Clock, metrics: LogMetrics, logger: Logger
    ) -> None:
        self._appenders = appenders
        self._clock = clock
        self._metrics = metrics
        self._logger = logger
        self._loop = asyncio.get_running_loop()
        self._queue = GroupQueue()
        self._gathered: list[Entry] = []
        self._pending: set[Entry] = set()
        self._in_flight = 0
        self._trouble = ""
        self._closed = False
        self._ended = asyncio.Event()
        self._upkeep = asyncio.create_task(_every(_UPKEEP_SECONDS, upkeep))
        Thread(target=self._work, name="append", daemon=True).start()

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        refused = records if self._closed else [record for record in records if too_large(record)]
        if refused:
            self._loop.call_soon(self._refuse, refused, settled)
            records = [] if self._closed else [record for record in records if not too_large(record)]
        if records:
            entry = Entry(records, settled)
            self._pending.add(entry)
            self._in_flight += len(records)
            if not self._gathered:
                self._loop.call_soon(self._hand_over)
            self._gathered.append(entry)

    def state(self) -> LogState:
        return LogState("down" if self._trouble else "ok", self._trouble, self._in_flight)

    async def close(self, deadline: float) -> None:
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.end()
            self._upkeep.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), deadline)
        left, self._pending, self._in_flight = self._pending, set(), 0
        for entry in left:
            self._refuse(entry.records, entry.settled)

    def _hand_over(self) -> None:
        """What one turn of the loop has appended, at once: waking the thread for each would make both wait."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def _refuse(self, records: Sequence[Record], settled: Settled) -> None:
        for record in records:
            result = too_large(record) or LogUnavailable("the log is closed")
            self._metrics.append_failed.labels("unavailable" if result.retriable else "too_large").inc()
            tell(settled, record, result, self._logger)

    def _settle(self, group: Group, outcomes: dict[str, int | LogUnavailable], seconds: float) -> None:
        troubles = [outcome for outcome in outcomes.values() if isinstance(outcome, LogUnavailable)]
        self._note(troubles[0] if troubles else None)
        self._metrics.append_seconds.observe(seconds)
        for topic, records in group.topics.items():
            if isinstance(outcomes[topic], LogUnavailable):
                self._metrics.append_failed.labels("unavailable").inc(len(records))
            else:
                self._metrics.appended.labels(topic).inc(len(records))
        answers = {topic: _answers(topic, outcome) for topic, outcome in outcomes.items()}
        for entry in group.entries:
            if entry in self._pending:  # else `close` gave the whole group up, and has answered
                self._pending.discard(entry)
                self._in_flight -= len(entry.records)
                for record in entry.records:
                    tell(entry.settled, record, next(answers[record.topic]), self._logger)

    def _note(self, trouble: LogUnavailable | None) -> None:
        detail = str(trouble) if trouble else ""
        if detail and not self._trouble:
            self._logger.error("log_down", detail=detail)
        if self._trouble and not detail:
            self._logger.info("log_up")
        if detail != self._trouble:  # as a spool it is one of two: the gauge is set by who knows both
            self._metrics.state.set(2 if detail else 0)
        self._trouble = detail

    def _work(self) -> None:
        """The thread."""
        with suppress(RuntimeError):  # the loop was closed before this writer was: nobody waits for an answer
            while group := self._queue.take(_PROBE_SECONDS if self._trouble else None):
                if not group.entries:
                    self._loop.call_soon_threadsafe(self._note, self._appenders.probe())
                    continue
                started = self._clock.monotonic()
                outcomes = self._appenders.append(group.topics)
                seconds = self._clock.monotonic() - started
                self._loop.call_soon_threadsafe(self._settle, group, outcomes, seconds)
        self._appenders.close()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(work)


def _answers(topic: str, outcome: int | LogUnavailable) -> Iterator[Position | AppendError]:
    """One for each of the topic's records, in the order in which they were queued."""
    if isinstance(outcome, LogUnavailable):
        return repeat(outcome)
    return (Position(topic, PARTITION, offset) for offset in count(outcome))
