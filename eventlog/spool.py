"""The log with its spool: where records go while the log is away or slow.

They become durable in the spool (an embedded log) and go to the log later, in order; spooling.py is who decides.
"""

from collections.abc import Callable

from base.logs import Logger
from base.metrics import LogMetrics
from eventlog.breaker import Breaker
from eventlog.clean_end import CleanEnd
from eventlog.log import EventLog, LogReader, LogScanner, Start
from eventlog.spool_state import SpoolState
from eventlog.spooling import SpoolingWriter
from eventlog.topics import Topics


class SpooledLog:
    """`primary` with `spool` for when it is away. Reading is the primary's alone. `crowded`: half of what may be in
    flight is."""

    def __init__(
        self,
        primary: EventLog,
        spool: EventLog,
        *,
        slow_seconds: float,
        topics: Topics,
        crowded: Callable[[], bool],
        shown: SpoolState,
        clean_end: CleanEnd,
        metrics: LogMetrics,
        logger: Logger,
    ) -> None:
        self._primary, self._spool, self._topics = primary, spool, topics
        self._slow_seconds, self._crowded, self._shown, self._clean_end = slow_seconds, crowded, shown, clean_end
        self._metrics, self._logger = metrics, logger

    async def open_writer(self) -> "SpoolingWriter":
        spool = await self._spool.open_writer()  # first, as it may refuse to start
        writer = SpoolingWriter(
            await self._primary.open_writer(),
            spool,
            self._primary,
            self._spool,
            self._topics,
            breaker=Breaker(self._slow_seconds),
            crowded=self._crowded,
            shown=self._shown,
            clean_end=self._clean_end,
            metrics=self._metrics,
            logger=self._logger,
        )
        await writer.look()
        return writer

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        return await self._primary.open_reader(group, topic, start)

    async def open_scanner(self) -> LogScanner:
        return await self._primary.open_scanner()
