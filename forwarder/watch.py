"""What people see of a destination, about once a second: metrics and the status file. And the facts' checkpoint."""

import asyncio
from dataclasses import dataclass
from typing import Final

from base.clock import Clock, from_rfc3339
from base.logs import Logger
from base.metrics import ForwarderMetrics
from base.tasks import is_wanted_to_end
from eventlog.errors import LogError
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.engine import Engine
from forwarder.delivery.status import Status
from forwarder.keeping.facts import FactStore
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.lag import Lag
from forwarder.work import Work

SECONDS: Final = 1.0
CHECKPOINT_SECONDS: Final = 60.0  # of facts that a start after a crash reads again


@dataclass(slots=True, kw_only=True)
class Watch:
    status: Status
    breaker: Breaker
    engine: Engine
    ledger: Ledger
    parking: Parking
    facts: FactStore
    lag: Lag
    metrics: ForwarderMetrics
    clock: Clock
    log: Logger
    _unreadable: bool = False

    async def run(self) -> None:
        """Until it is cancelled."""
        checkpoint = self.clock.monotonic()
        while True:
            self.show()
            try:
                self.metrics.lag.labels(self.status.destination).set(await self.lag.measure())
                if self.clock.monotonic() - checkpoint >= CHECKPOINT_SECONDS:
                    checkpoint = self.clock.monotonic()
                    await self.facts.checkpoint(self.ledger.partitions)
            except LogError as error:
                self._tell_unreadable(str(error))
            except (Exception, asyncio.CancelledError) as error:  # of whatever a look dies, the next is made
                if is_wanted_to_end():
                    raise
                self._tell_unreadable(f"{type(error).__name__}: {error}")
            else:
                self._tell_unreadable("")
            await self.clock.sleep(SECONDS)

    def _tell_unreadable(self, error: str) -> None:
        """Once, and once when it is over."""
        if error and not self._unreadable:
            self.log.warning("log.unreadable", error=error)
        elif self._unreadable and not error:
            self.log.info("log.readable")
        self._unreadable = bool(error)
        self.status.problem = error

    def show(self) -> None:
        name, parked = self.status.destination, self.parking.count()
        self.status.show(self.breaker, parked, self.engine.in_flight, self.ledger.partitions)
        self.metrics.paused.labels(name).set(self.breaker.state == "paused")
        self.metrics.parked.labels(name).set(parked)
        self.metrics.lag_seconds.labels(name).set(max(map(self._waits, self.ledger.first_waiting()), default=0.0))

    def _waits(self, work: Work) -> float:
        """Seconds. A replayed event came long ago, and waits since it was taken."""
        if work.event.replayed:
            return self.clock.monotonic() - work.taken
        return max(0.0, self.clock.now() - from_rfc3339(work.event.receivedtime))
