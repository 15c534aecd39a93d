"""Records that must be in the log before anything goes on: waits and tries again, never drops."""

from collections.abc import Sequence

from base.clock import Clock
from base.ids import IdSource
from base.logs import Logger
from eventlog.appending import append_durably
from eventlog.errors import AppendError
from eventlog.log import LogWriter, Position, Record
from forwarder.retry import RetryPolicy


class Durable:
    def __init__(self, writer: LogWriter, policy: RetryPolicy, clock: Clock, ids: IdSource, log: Logger) -> None:
        self._writer = writer
        self._policy = policy
        self._clock = clock
        self._ids = ids
        self._log = log

    async def put(self, record: Record) -> Position:
        """Where it stands, once it is durable. AppendError only when the same record never can be (it is too large)."""
        (position,) = await self.put_all((record,))
        return position

    async def put_all(self, records: Sequence[Record]) -> list[Position]:
        """As `put`, all together. Where one is tried again, the others may come to stand there twice."""
        attempt = 0
        while True:
            try:
                return await append_durably(self._writer, records)
            except AppendError as error:
                if not error.retriable:
                    raise
                attempt += 1
                self._log.error("append.failed", topic=records[0].topic, attempt=attempt, error=str(error))
                await self._clock.sleep(self._policy.delay(attempt, self._ids.random(4)))
