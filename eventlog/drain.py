"""From the spool to the log, in the spool's order, committed batch by batch."""

import asyncio
from collections.abc import Sequence
from typing import Final

from base.errors import OchnError
from base.logs import Logger
from eventlog.errors import AppendError, LogUnavailable
from eventlog.log import Batch, EventLog, Gap, LogWriter, Position, Record
from eventlog.spooled import flagged, unwrap, wrap
from eventlog.topics import Topics

GROUP: Final = "spool"
RECORDS: Final = 500  # what a kill -9 in the middle of it sends twice
WAIT_SECONDS: Final = 0.1


class Drain:
    """`left` is how many records the spool held when it was last counted. One process drains, whoever has the lease."""

    def __init__(self, primary: LogWriter, spool: EventLog, writer: LogWriter, topics: Topics, logger: Logger) -> None:
        self._primary, self._spool, self._writer = primary, spool, writer
        self._topic, self._oversize = topics.spool.name, topics.oversize.name
        self._logger = logger
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.left = 0

    async def count(self) -> None:
        scanner = await self._spool.open_scanner()
        bounds, committed = await scanner.bounds(self._topic), await scanner.committed(GROUP, self._topic)
        self.left = sum(end - max(first, committed.get(number, first)) for number, (first, end) in bounds.items())

    def start(self) -> None:
        if self.left and not self._closing and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def close(self, deadline: float) -> None:
        """The batch that is being drained is not cut in two, if it can be ended in time."""
        self._closing = True
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=deadline)
            for task in late:
                task.cancel()
                await asyncio.wait({task})

    async def _run(self) -> None:
        """Until the spool is empty, or the log fails. Another process may have the lease: then nothing comes."""
        reader = await self._spool.open_reader(GROUP, self._topic, "earliest")
        replayed = True  # whoever had the lease before may have ended between the first batch and its commit
        try:
            while self.left and not self._closing and self._primary.state().status == "ok":
                item = await reader.next(RECORDS, WAIT_SECONDS)
                if isinstance(item, Batch):
                    records = [unwrap(record) for record in item.records]
                    await self._replay([flagged(one, maybe_duplicate=True) for one in records] if replayed else records)
                    replayed = False
                    await reader.commit(item.partition, item.next_offset)
                elif isinstance(item, Gap):
                    self._logger.error("spool_gap", cause=item.cause, records=item.end - item.first)
        except (OchnError, OSError) as error:
            self._logger.warning("drain_stopped", detail=str(error))
        finally:
            await reader.close(1.0)

    async def _replay(self, records: Sequence[Record]) -> None:
        """Returns when the log has all. What failed goes again in its order: of one key, only a tail can fail."""
        while records:
            failed = []
            for record, outcome in await _outcomes(self._primary, records):
                if isinstance(outcome, AppendError) and outcome.retriable:
                    failed.append(flagged(record, maybe_duplicate=True))
                elif isinstance(outcome, AppendError):
                    await self._keep_oversize(record)
            records = failed
            if records and self._closing:
                raise LogUnavailable("closed while the spool was drained; the next start goes on with it")
            if records:
                await asyncio.sleep(WAIT_SECONDS)

    async def _keep_oversize(self, record: Record) -> None:
        self._logger.error("too_large_for_the_log", topic=record.topic, key=record.key.decode(errors="replace"))
        for _, outcome in await _outcomes(self._writer, [wrap(record, self._oversize)]):
            if isinstance(outcome, AppendError):
                raise outcome


async def _outcomes(writer: LogWriter, records: Sequence[Record]) -> list[tuple[Record, Position | AppendError]]:
    """In the order of `records`, once all are settled."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    settled: dict[int, Position | AppendError] = {}

    def on_settled(record: Record, outcome: Position | AppendError) -> None:
        settled[id(record)] = outcome
        if len(settled) == len(records) and not done.done():
            done.set_result(None)

    writer.append(records, on_settled)
    await done
    return [(record, settled[id(record)]) for record in records]
