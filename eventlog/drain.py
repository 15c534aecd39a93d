"""From the spool to the log, in the spool's order, committed group by group."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import orjson

from base.errors import OchnError
from base.logs import Logger
from base.metrics import LogMetrics
from base.reasons import Quarantine
from eventlog.clean_end import CleanEnd
from eventlog.errors import AppendError, Fenced, LogUnavailable
from eventlog.event import RECORD_HEADERS
from eventlog.log import Assigned, Batch, EventLog, Gap, LogReader, LogWriter, Position, Record, Revoked, StoredRecord
from eventlog.spooled import flagged, is_event, is_maybe_duplicate, unwrap, wrap
from eventlog.tail import landed
from eventlog.topics import Topics

GROUP: Final = "spool"
RECORDS: Final = 2000  # what a kill -9 in the middle of it may send twice, when the log's tail can't be read
PROBE: Final = 100  # of the first group: it finds out whether the log takes anything
WAIT_SECONDS: Final = 0.1


class Drain:
    """`left` is how many records the spool held when it was last counted. One process drains, whoever has the lease.
    `known` are places in the spool of what the log has already. `came_back` is told how long each group took, `failed` why one did not get through: then it ends, and the next
    `start` begins with the same group."""

    def __init__(
        self,
        primary: LogWriter,
        log: EventLog,
        spool: EventLog,
        writer: LogWriter,
        topics: Topics,
        *,
        known: AbstractSet[int],
        clean_end: CleanEnd,
        came_back: Callable[[float], None],
        failed: Callable[[AppendError], None],
        metrics: LogMetrics,
        logger: Logger,
    ) -> None:
        self._primary, self._log, self._spool, self._writer = primary, log, spool, writer
        self._topic, self._oversize, self._quarantine = topics.spool.name, topics.oversize.name, topics.quarantine.name
        self._known, self._clean_end = known, clean_end
        self._came_back, self._failed = came_back, failed
        self._metrics, self._logger = metrics, logger
        self._going = self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._handed_on = 0  # the next offset to go; ahead of what is committed while the disk takes no commits
        self._tried = 0  # offsets before it have been sent from here, and may have arrived
        self._tail_unread = False
        self.left = self.done = 0

    async def count(self) -> None:
        scanner = await self._spool.open_scanner()
        bounds, committed = await scanner.bounds(self._topic), await scanner.committed(GROUP, self._topic)
        self.left = sum(
            max(0, end - max(first, committed.get(number, first), self._handed_on))
            for number, (first, end) in bounds.items()
        )

    def start(self) -> None:
        """From now on all that comes to the spool goes on to the log, until `stop`."""
        self._going = not self._closing
        if self._going and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """With the group that is on its way."""
        self._going = False

    async def close(self, deadline: float) -> None:
        """The group that is on its way is not cut in two, if it can be ended in time."""
        self._going, self._closing = False, True
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=deadline)
            for task in late:
                task.cancel()
                await asyncio.wait({task})

    async def _run(self) -> None:
        try:
            reader = await self._spool.open_reader(GROUP, self._topic, "earliest")
            try:
                await self._drain(reader)
            finally:
                await reader.close(1.0)
        except Fenced as error:
            self._logger.info("drain_fenced", detail=str(error))  # another drains by now
        except AppendError as error:
            self._failed(error)
        except (OchnError, OSError) as error:
            self._failed(LogUnavailable(f"the spool can't be drained: {error}"))
        except Exception as error:
            self._logger.exception("drain_failed")
            self._failed(LogUnavailable(f"the drain failed: {error!r}"))

    async def _drain(self, reader: LogReader) -> None:
        """Another process may have the lease: then nothing comes."""
        most, doubtful, committed = PROBE, 0, None
        following = asyncio.ensure_future(reader.next(most, WAIT_SECONDS))
        try:
            while self._going:
                item = await following
                most = RECORDS if isinstance(item, Batch) else most
                following = asyncio.ensure_future(reader.next(most, WAIT_SECONDS))  # while this one is on its way
                if isinstance(item, Assigned):
                    doubtful = max(self._tried, 0 if item.start == self._clean_end.at() else item.start + RECORDS)
                    self._clean_end.forget()
                    committed = item.start
                elif isinstance(item, Batch):
                    new = [one for one in item.records if one.position.offset >= self._handed_on]
                    await self._hand_on(new, doubtful)
                    self._handed_on = item.next_offset
                    committed = await self._commit(reader, item)
                elif isinstance(item, Gap):
                    self._logger.error("spool_gap", cause=item.cause, records=item.end - item.first)
                elif isinstance(item, Revoked):
                    return
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        if committed is not None:
            self._clean_end.keep(committed)

    async def _commit(self, reader: LogReader, done: Batch) -> int | None:
        """The offset that is committed now. A disk that is full takes no commit, and is only freed by going on."""
        try:
            await reader.commit(done.partition, done.next_offset)
        except LogUnavailable as error:
            self._logger.warning("drain_not_committed", detail=str(error))
            return None
        return done.next_offset

    async def _hand_on(self, stored: Sequence[StoredRecord], doubtful: int) -> None:
        """Returns when the log has all; the first AppendError otherwise."""
        records, asked = [], []
        for one in stored:
            if one.position.offset in self._known:
                continue
            record = unwrap(one)
            if one.position.offset < doubtful or is_maybe_duplicate(one.value):
                record = flagged(record, maybe_duplicate=True)
                asked.append(record)
            records.append(record)
        there = await self._landed(asked) if asked else set()
        self._tried = max(self._tried, stored[-1].position.offset + 1) if stored else self._tried
        started = asyncio.get_running_loop().time()
        outcomes = await _outcomes(self._primary, [record for record in records if id(record) not in there])
        for record, outcome in outcomes:
            if isinstance(outcome, AppendError):
                if outcome.retriable:
                    raise outcome
                await self._keep_oversize(record, outcome)
        self._came_back(asyncio.get_running_loop().time() - started)
        self.done += len(stored)
        sent = len(outcomes)
        self._metrics.drained.inc(sent)
        self._metrics.drained_already.inc(len(stored) - sent)

    async def _landed(self, records: Sequence[Record]) -> set[int]:
        """A log that can't be looked into twice in a row gets them a second time, rather than never."""
        try:
            there = await landed(self._log, records)
        except Exception as error:  # whatever looking dies of, the events go on
            self._tail_unread = not self._tail_unread
            if self._tail_unread:
                raise
            self._logger.warning("tail_unread", records=len(records), detail=str(error))
            return set()
        self._tail_unread = False
        return there

    async def _keep_oversize(self, record: Record, why: AppendError) -> None:
        """Whole beside the spool; an event stands in the quarantine without its data."""
        self._logger.error("too_large_for_the_log", topic=record.topic, detail=str(why))
        for _, outcome in await _outcomes(self._writer, [wrap(record, self._oversize)]):
            if isinstance(outcome, AppendError):
                raise outcome
        for _, outcome in await _outcomes(self._primary, self._quarantined(record)):
            if isinstance(outcome, AppendError) and outcome.retriable:
                raise outcome

    def _quarantined(self, record: Record) -> list[Record]:
        if not is_event(record):
            return []
        event = {**orjson.loads(record.value or b""), "data": {}, "quarantinereasons": Quarantine.EVENT_TOO_LARGE}
        event.pop("data_base64", None)
        value = orjson.dumps(event)
        return [Record(self._quarantine, str(event["id"]).encode(), value, record.timestamp, RECORD_HEADERS)]


async def _outcomes(writer: LogWriter, records: Sequence[Record]) -> list[tuple[Record, Position | AppendError]]:
    """In the order of `records`, once all are settled."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    settled: dict[int, Position | AppendError] = {}

    def on_settled(record: Record, outcome: Position | AppendError) -> None:
        settled[id(record)] = outcome
        if len(settled) == len(records) and not done.done():
            done.set_result(None)

    if records:
        writer.append(records, on_settled)
        await done
    return [(record, settled[id(record)]) for record in records]
