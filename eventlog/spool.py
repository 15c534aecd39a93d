"""While the log is away, records become durable in the spool (an embedded log) and go to the log later, in order.

Order per key: a record goes straight to the log only while nothing is in the spool and nothing of ours is on its way
there. When the log fails, what arrives waits until the outcome of all that was under way is known; then the failed
ones are spooled, and the later ones behind them. The way back: what arrives is held for a moment, the spool runs
empty, and the held go straight.

All processes of a data directory share one spool, hence one order. One of them drains it, whoever gets its lease; all
see how much is left, and go through it until they have seen it empty. Between two processes the order of one key is
as good as `LOOK_SECONDS`: one may go straight while the other, having looked earlier, still spools.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from base.errors import OchnError
from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.appending import tell
from eventlog.drain import Drain
from eventlog.errors import AppendError
from eventlog.log import (
    EventLog,
    LogReader,
    LogScanner,
    LogState,
    LogWriter,
    Position,
    Record,
    Settled,
    Start,
)
from eventlog.spooled import flagged, wrap
from eventlog.topics import Topics

LOOK_SECONDS: Final = 0.1
LOW_WATER: Final = 1000  # so few left in the spool, new records are held until it is empty
HOLD_SECONDS: Final = 1.0
CODES: Final = {"ok": 0, "degraded": 1, "down": 2}


class SpooledLog:
    """`primary` with `spool` for when it is away. Reading is the primary's alone."""

    def __init__(
        self, primary: EventLog, spool: EventLog, *, topics: Topics, metrics: LogMetrics, logger: Logger
    ) -> None:
        self._primary, self._spool, self._topics = primary, spool, topics
        self._metrics, self._logger = metrics, logger

    async def open_writer(self) -> "SpoolingWriter":
        spool = await self._spool.open_writer()
        primary = await self._primary.open_writer()
        writer = SpoolingWriter(primary, spool, self._spool, self._topics, metrics=self._metrics, logger=self._logger)
        await writer.look()
        return writer

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        return await self._primary.open_reader(group, topic, start)

    async def open_scanner(self) -> LogScanner:
        return await self._primary.open_scanner()


class _Waiting(NamedTuple):
    """`record` is what its sender gave, `kept` what the log will get."""

    record: Record
    settled: Settled
    kept: Record


class SpoolingWriter:
    """Settled is what is durable in either. Too large for the log: kept in `<prefix>.oversize` beside the spool."""

    def __init__(
        self,
        primary: LogWriter,
        writer: LogWriter,
        spool: EventLog,
        topics: Topics,
        *,
        metrics: LogMetrics,
        logger: Logger,
    ) -> None:
        self._primary, self._writer = primary, writer
        self._topic, self._oversize = topics.spool.name, topics.oversize.name
        self._metrics, self._logger = metrics, logger
        self._spooling = False
        self._holding_until: float | None = None
        self._direct = self._to_spool = 0  # records on their way to either
        self._failed: list[_Waiting] = []
        self._arrived: list[_Waiting] = []
        self._loop = asyncio.get_running_loop()
        self._drain = Drain(primary, spool, writer, topics, logger)
        self._looker = self._loop.create_task(self._keep_looking())

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        if not self._spooling and self._primary.state().status == "down":
            self._begin_spooling(self._primary.state().detail)
        if self._spooling:
            self._arrived += (_Waiting(one, settled, flagged(one, maybe_duplicate=False)) for one in records)
            self._flush()
        else:
            self._append_direct(records, settled)

    def state(self) -> LogState:
        primary, spool = self._primary.state(), self._writer.state()
        in_flight = self._direct + self._to_spool + len(self._failed) + len(self._arrived)
        if not self._spooling and primary.status == "ok":
            return LogState("ok", primary.detail, in_flight)
        if spool.status == "down":
            return LogState("down", f"{primary.detail}; and the spool: {spool.detail}", in_flight, self._drain.left)
        why = "the spool is being drained" if primary.status == "ok" else primary.detail
        return LogState("degraded", why, in_flight, self._drain.left)

    async def close(self, deadline: float) -> None:
        """What the log does not take within a third of the deadline goes to the spool."""
        self._spooling = True
        self._hold(None)
        self._looker.cancel()
        await asyncio.wait({self._looker})
        await self._drain.close(deadline / 3)
        await self._primary.close(deadline / 3)
        await self._writer.close(deadline / 3)

    def _append_direct(self, records: Sequence[Record], settled: Settled) -> None:
        def answered(record: Record, outcome: Position | AppendError) -> None:
            self._direct -= 1
            if not isinstance(outcome, AppendError):
                tell(settled, record, outcome, self._logger)
            elif outcome.retriable:
                self._begin_spooling(str(outcome))
                self._failed.append(_Waiting(record, settled, flagged(record, maybe_duplicate=True)))
            else:
                self._logger.error("too_large_for_the_log", topic=record.topic, detail=str(outcome))
                self._append_spool(self._oversize, [_Waiting(record, settled, record)])
            if not self._direct:
                self._flush()

        self._direct += len(records)
        self._primary.append(records, answered)

    def _begin_spooling(self, reason: str) -> None:
        if not self._spooling:
            self._spooling = True
            self._logger.warning("spooling", reason=reason)

    def _flush(self) -> None:
        """Into the spool, once nothing that came earlier is on its way to the log."""
        if self._spooling and not self._direct and self._holding_until is None:
            waiting = self._failed + self._arrived
            self._failed, self._arrived = [], []
            self._append_spool(self._topic, waiting)

    def _append_spool(self, topic: str, waiting: list[_Waiting]) -> None:
        if not waiting:
            return
        wrapped = [wrap(one.kept, topic) for one in waiting]
        senders = {id(record): one for record, one in zip(wrapped, waiting, strict=True)}

        def answered(record: Record, outcome: Position | AppendError) -> None:
            self._to_spool -= 1
            self._drain.left += not isinstance(outcome, AppendError)
            sender = senders[id(record)]
            tell(sender.settled, sender.record, outcome, self._logger)

        self._to_spool += len(wrapped)
        self._writer.append(wrapped, answered)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS if self._spooling else 5 * LOOK_SECONDS)
            try:
                await self.look()
            except (OchnError, OSError) as error:
                self._logger.warning("spool_unreadable", detail=str(error))

    async def look(self) -> None:
        """How much is left in the spool, and what follows from it."""
        quiet = self._holding_until is not None and not self._to_spool and not self._direct
        await self._drain.count()
        if self._drain.left:
            self._begin_spooling("records of before wait in the spool")
        if self._spooling and self._primary.state().status == "ok":
            self._come_back(empty=quiet and not self._drain.left and not self._failed)
        elif self._holding_until is not None:
            self._hold(None)
        self._metrics.spooled.set(self._drain.left)
        self._metrics.state.set(CODES[self.state().status])

    def _come_back(self, *, empty: bool) -> None:
        if empty:
            arrived, self._arrived = self._arrived, []
            self._spooling, self._holding_until = False, None
            self._logger.info("spool_empty")
            for one in arrived:
                self._append_direct([one.record], one.settled)
            return
        self._drain.start()
        if self._holding_until is None:
            near = self._drain.left <= LOW_WATER and not self._direct and not self._failed
            self._hold(self._loop.time() + HOLD_SECONDS if near else None)
        elif self._loop.time() > self._holding_until:
            self._hold(None)

    def _hold(self, until: float | None) -> None:
        self._holding_until = until
        self._flush()
