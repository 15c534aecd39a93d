"""The writer that goes straight to the log while that is well, and into the spool while it is not.

Order per key: a record goes straight only while nothing is in the spool. When the breaker opens, what is on its way is
taken over: it goes to the spool too, and all that comes later behind it. The way back: what arrives is held for a
moment, the spool runs empty, and the held go straight.

All processes of a data directory share one spool, hence one order. One of them drains it, whoever gets its lease; all
see how much is left, and go through it until they have seen it empty. They go back together: nobody holds before all
that spool could, and nobody closes before all hold; they look at the same moments, so that is soon. On the way in the
order of one key is as good as their looks: one may go straight while the other, having looked later, already spools.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from base.errors import OchnError
from base.logs import Logger
from base.metrics import LogMetrics
from base.reasons import Spooling
from eventlog.appending import tell
from eventlog.breaker import CODES, Breaker
from eventlog.clean_end import CleanEnd
from eventlog.drain import Drain
from eventlog.errors import AppendError
from eventlog.log import EventLog, LogState, LogWriter, Position, Record, Settled
from eventlog.spool_state import SpoolState, Stage
from eventlog.spooled import flagged, wrap
from eventlog.straight import Straight
from eventlog.topics import Topics

LOOK_SECONDS: Final = 0.1  # while there is something to see; five times as long while all is well
LOW_WATER: Final = 2000  # so few left in the spool, new records are held until it is empty
HOLD_SECONDS: Final = 0.3
CROWD_SECONDS: Final = 0.05  # a crowd that moves is no trouble: its oldest has not waited so long
OWN_STALL_SECONDS: Final = 0.05  # a look so late was held up by this process, and answers may wait unread
STATES: Final = {"ok": 0, "degraded": 1, "down": 2}

Outcome = Position | AppendError


class SpoolingWriter:
    """Settled is what is durable in either. What the log never takes for its size is the sender's to cut."""

    def __init__(
        self,
        primary: LogWriter,
        writer: LogWriter,
        log: EventLog,
        spool: EventLog,
        topics: Topics,
        *,
        breaker: Breaker,
        crowded: Callable[[], bool],
        shown: SpoolState,
        clean_end: CleanEnd,
        metrics: LogMetrics,
        logger: Logger,
    ) -> None:
        self._primary, self._writer, self._topic = primary, writer, topics.spool.name
        self._breaker, self._crowded, self._shown = breaker, crowded, shown
        self._metrics, self._logger = metrics, logger
        self._loop = asyncio.get_running_loop()
        self._straight = Straight(primary, self._failed, logger)
        self._drain = Drain(
            primary,
            log,
            spool,
            writer,
            topics,
            known=self._straight.landed,
            clean_end=clean_end,
            came_back=lambda seconds: breaker.came_back(seconds, self._loop.time()),
            failed=self._failed,
            metrics=metrics,
            logger=logger,
        )
        self._to_spool = 0  # records on their way there
        self._held: list[tuple[Sequence[Record], Settled]] = []
        self._hold_until: float | None = None
        self._closing = False
        self._watch: asyncio.TimerHandle | None = None
        self._looker = self._loop.create_task(self._keep_looking())

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        if self._breaker.state == "closed" and not self._closing and self._is_fit():
            self._append_straight(records, settled)
        elif self._hold_until is None:
            self._append_spool(records, settled)
        else:
            self._held.append((records, settled))

    def state(self) -> LogState:
        primary, spool = self._primary.state(), self._writer.state()
        in_flight = self._straight.count + self._to_spool + sum(len(records) for records, _ in self._held)
        if self._breaker.state == "closed" and primary.status == "ok":
            return LogState("ok", primary.detail, in_flight)
        why = self._breaker.detail or primary.detail
        if self._breaker.state == "half_open":
            why = f"the spool is being drained, after: {why}"
        if spool.status == "down":
            return LogState("down", f"{why}; and the spool: {spool.detail}", in_flight, self._drain.left)
        return LogState("degraded", why, in_flight, self._drain.left)

    async def close(self, deadline: float) -> None:
        """What the log does not take within a third of the deadline goes to the spool."""
        self._closing = True
        self._release()
        self._looker.cancel()
        await asyncio.wait({self._looker})
        if self._watch is not None:
            self._watch.cancel()
        await self._drain.close(deadline / 3)
        await self._primary.close(deadline / 3)
        await self._writer.close(deadline / 3)
        self._shown.remove()

    def _is_fit(self) -> bool:
        """Whether the next may go straight; opens the breaker otherwise."""
        primary = self._primary.state()
        if primary.status == "down":
            self._open(Spooling.AWAY, primary.detail)
            return False
        if not self._crowded():
            return True
        since = self._straight.oldest()
        if since is None or self._loop.time() - since <= CROWD_SECONDS:
            return True
        self._open(Spooling.CROWDED, "half of what may be in flight waits for the log")
        return False

    def _append_straight(self, records: Sequence[Record], settled: Settled) -> None:
        self._straight.append(records, settled)
        if self._watch is None:
            due = self._loop.time() + self._breaker.slow_seconds
            self._watch = self._loop.call_at(due, self._look_at_the_oldest, due, False)

    def _look_at_the_oldest(self, due: float, looked_late: bool) -> None:
        since, now = self._straight.oldest(), self._loop.time()
        self._watch = None
        if since is None or self._breaker.state != "closed":
            return
        late = now - due > OWN_STALL_SECONDS and not looked_late
        if not late and now - since >= self._breaker.slow_seconds:
            self._open(Spooling.SLOW, f"the log has not acknowledged for {now - since:.2f} s")
            return
        again = now + OWN_STALL_SECONDS if late else since + self._breaker.slow_seconds
        self._watch = self._loop.call_at(again, self._look_at_the_oldest, again, late)

    def _failed(self, error: AppendError) -> None:
        self._open(Spooling.FAILED, str(error))

    def _open(self, reason: Spooling, detail: str) -> None:
        """What is on its way goes to the spool too, before all that comes."""
        if self._breaker.open(reason, detail, self._loop.time()):
            self._metrics.spool_opened.labels(reason).inc()
            self._logger.warning("spool_open", reason=reason, detail=detail, left=self._drain.left)
        self._drain.stop()
        self._write(
            (flagged(sent.record, maybe_duplicate=True), partial(self._straight.spooled, sent))
            for sent in self._straight.take_over()
        )
        self._release()
        self._show()

    def _append_spool(self, records: Sequence[Record], settled: Settled) -> None:
        self._write((flagged(one, maybe_duplicate=False), partial(self._tell, settled, one)) for one in records)

    def _tell(self, settled: Settled, record: Record, outcome: Outcome) -> None:
        tell(settled, record, outcome, self._logger)

    def _write(self, waiting: Iterable[tuple[Record, Callable[[Outcome], None]]]) -> None:
        """Into the spool; each record with who wants to know."""
        wrapped = [(wrap(record, self._topic), answer) for record, answer in waiting]
        answers = {id(record): answer for record, answer in wrapped}

        def answered(record: Record, outcome: Outcome) -> None:
            self._to_spool -= 1
            self._drain.left += not isinstance(outcome, AppendError)
            answers[id(record)](outcome)

        self._to_spool += len(wrapped)
        self._writer.append([record for record, _ in wrapped], answered)

    async def _keep_looking(self) -> None:
        while True:
            period = LOOK_SECONDS * (5 if self._breaker.state == "closed" else 1 if self._hold_until is None else 0.2)
            await asyncio.sleep(period - self._loop.time() % period)  # the same moments in all processes
            try:
                await self.look()
            except (OchnError, OSError) as error:
                self._logger.warning("spool_unreadable", detail=str(error))

    async def look(self) -> None:
        """How much is left in the spool, and what follows from it."""
        spools = self._breaker.state != "closed"
        others = self._shown.others() if spools else set[Stage]()
        quiet = self._stage(self._loop.time()) == "holding"
        await self._drain.count()
        if spools:  # before and after: what they have let in is counted, and they let in nothing since
            others |= self._shown.others()
            quiet &= others <= {"holding"}
        left = self._drain.left
        if left and self._breaker.state == "closed":
            self._open(Spooling.LEFT_OVER, f"{left} records wait in the spool")
        if self._breaker.state != "closed" and not self._closing:
            self._come_back(self._loop.time(), others, empty=quiet and not left)
        self._show()

    def _come_back(self, now: float, others: set[Stage], *, empty: bool) -> None:
        """As far as the log's state, what is on its way to it, and the other processes allow."""
        primary = self._primary.state()
        if primary.status == "down":
            self._open(Spooling.AWAY, primary.detail)
        elif not self._straight.count and self._breaker.try_out(now):
            self._logger.info("spool_half_open", left=self._drain.left)
        if self._breaker.state != "half_open":
            return
        self._drain.start()
        if empty:
            self._close(now)
        elif self._hold_until is None:
            near = self._stage(now) == "ready" and others <= {"ready", "holding"}
            self._hold_until = now + HOLD_SECONDS if near else None
        elif now > self._hold_until or self._crowded():
            self._release()

    def _stage(self, now: float) -> Stage:
        if self._breaker.state == "closed":
            return "closed"
        if self._hold_until is not None and not self._to_spool:
            return "holding"
        return "ready" if self._drain.left <= LOW_WATER and self._breaker.may_close(now) else "spooling"

    def _close(self, now: float) -> None:
        """What was held goes straight now, and all that comes behind it."""
        self._breaker.close(now)
        self._drain.stop()
        self._straight.landed.clear()
        self._logger.info("spool_closed", drained=self._drain.done)
        held, self._held, self._hold_until = self._held, [], None
        for records, settled in held:
            self._append_straight(records, settled)

    def _release(self) -> None:
        held, self._held, self._hold_until = self._held, [], None
        for records, settled in held:
            self._append_spool(records, settled)

    def _show(self) -> None:
        self._metrics.spooled.set(self._drain.left)
        self._metrics.spool_breaker.set(CODES[self._breaker.state])
        self._metrics.state.set(STATES[self.state().status])
        self._shown.show(self._breaker, self._stage(self._loop.time()), self._drain.left, self._drain.done)
