"""What keeps a partition's window shut is parked, in flight or not: so the committed offset never waits for one event.

What its call brings after all counts as for any parked event. The window itself is the ledger's: no more events of a
partition are out than a crash may send again.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock
from forwarder.delivery.batching import Queue
from forwarder.delivery.calls import UNHEARD_SECONDS
from forwarder.delivery.settlement import Settlement
from forwarder.keeping.ledger import Ledger
from forwarder.work import Unit, Work

PATIENCE: Final = 1.0  # seconds that an event in flight may keep a window shut


@dataclass(slots=True, kw_only=True, eq=False)
class Asides:
    """`units` of new events, in flight or waiting to go on; `left` is told of one whose events are parked. `wake` is set
    when there is something new, be it a `failure`."""

    ledger: Ledger
    settlement: Settlement
    queue: Queue
    clock: Clock
    wake: asyncio.Event
    left: Callable[[Unit], None]
    units: set[Unit] = field(init=False, default_factory=set)
    failure: Exception | None = field(init=False, default=None)
    _parking: asyncio.Task[None] | None = field(init=False, default=None)

    def look(self, waiting: Iterable[Unit]) -> float | None:
        """Begins to park what is in the way: at once when it waits to be tried again, in flight after a while. Seconds
        until then."""
        if self._parking is not None:
            return None
        now = self.clock.monotonic()
        waited = [(head, now - since) for head, since in self.ledger.heads(now)]
        if not waited:
            return None
        if not self.settlement.erased.is_fresh(now):  # it stood still: what it holds may be another's by now
            return UNHEARD_SECONDS
        again = {id(work) for unit in waiting for work in unit.works()}
        heads = [head for head, seconds in waited if seconds >= PATIENCE or id(head) in again]
        if heads:
            self._parking = asyncio.create_task(self._park_all(heads))
        return min(PATIENCE - seconds for _, seconds in waited)

    async def parked(self) -> None:
        """Returns once all that is set aside is parked: what follows would overtake it."""
        if self._parking is not None:
            await asyncio.wait({self._parking})

    def cancel(self) -> list[asyncio.Task[None]]:
        if self._parking is None:
            return []
        self._parking.cancel()
        return [self._parking]

    async def _park_all(self, heads: Iterable[Work]) -> None:
        try:
            for head in filter(self.ledger.holds, heads):
                await self._park(head)
        except Exception as error:  # noqa: BLE001 - the engine raises it
            self.failure = error
        finally:
            self._parking = None
            self.wake.set()

    async def _park(self, head: Work) -> None:
        """With all that its unit holds. One in the queue, only if its visitor is busy: else it is about to go out."""
        unit = next((unit for unit in self.units if head in unit.works()), None)
        if unit is not None:
            unit.aside = True
            await self.settlement.set_aside(unit.works())
            self.left(unit)
        elif self.queue.claim(head.subject):
            self.queue.release(frozenset([head.subject]))
        else:
            await self.settlement.set_aside([head])
