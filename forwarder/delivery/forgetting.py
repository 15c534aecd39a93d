"""Who was erased (`ochn erase`): nothing more is sent of what had come of them, and what was known of them here goes.

The list is the log's topic (eventlog/erased.py), so a forwarder on any host obeys it while it runs, and at its start
before its first call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock
from base.logs import Logger
from base.reasons import Filter
from eventlog.erased import FOLLOW_SECONDS, Erased
from eventlog.errors import LogError
from eventlog.event import Event
from forwarder.delivery.engine import Engine
from forwarder.delivery.settlement import Settlement
from forwarder.destinations.base import Destination, Outcome, filtered
from forwarder.destinations.screening import Screening
from forwarder.keeping.facts import FactStore
from forwarder.keeping.parking import ParkedEvent, Parking
from forwarder.keeping.store import Store, taken_in

FIRST_LOOK_SECONDS: Final = 600.0  # for facts that are too old
LOOK_SECONDS: Final = 86_400.0
_PART: Final = 0  # the list has one


class Forgetting(Screening):
    """A destination that gets nothing of who was erased."""

    def __init__(self, inner: Destination, erased: Erased) -> None:
        super().__init__(inner)
        self._erased = erased

    def settled(self, events: Sequence[Event]) -> Mapping[str, Outcome]:
        return {event.id: filtered(Filter.ERASED) for event in events if self._erased.denies(event)}


@dataclass(slots=True, kw_only=True, eq=False)
class Forgetter:
    """One destination's. `topic` is the list's name."""

    topic: str
    erased: Erased
    store: Store
    facts: FactStore
    parking: Parking
    settlement: Settlement
    engine: Engine
    facts_days: float
    clock: Clock
    log: Logger
    _done: int = field(init=False, default=0)  # offset of the list up to which all is forgotten

    def __post_init__(self) -> None:
        self.store.define("forgotten", lambda owner: self.erased.forgets(owner, offset=self._done))
        self.store.define("denied", lambda doc: self.erased.denies(ParkedEvent.from_bytes(doc).event))
        known = self.store.read("SELECT next FROM taken_in WHERE topic = ? AND part = ?", (self.topic, _PART))
        self._done = known[0][0] if known else 0

    async def run(self) -> None:
        """Until it is cancelled."""
        due = self.clock.monotonic() + FIRST_LOOK_SECONDS
        while True:
            try:
                await self.catch_up()
                if self.clock.monotonic() >= due:
                    due = self.clock.monotonic() + LOOK_SECONDS
                    await self.expire()
            except LogError as error:
                self.log.warning("erased.not_forgotten", error=str(error))
            await self.clock.sleep(FOLLOW_SECONDS)

    async def catch_up(self) -> None:
        """What the list says by now. While nothing is under way: a reply that comes later would teach it again."""
        end = self.erased.end
        if end <= self._done:
            return
        async with self.engine.quiet():
            await self._settle_parked()
            self.engine.leave(lambda work: work.waiting is not None and self.erased.denies(work.event))
            owners = [owner for (owner,) in await self.store.look("SELECT owner FROM facts WHERE forgotten(owner)")]
            await self.facts.forget(owners)
        await taken_in(self.store, self.topic, _PART, end)
        await self.store.scrub()
        self._done = end

    async def expire(self) -> None:
        """What is known of visitors who were not seen for so many days."""
        owners = await self.facts.unseen(self.store.now() - self.facts_days * 86_400)
        if not owners:
            return
        partition_of, ours = await self.facts.partition_of(), self.engine.ledger.partitions
        async with self.engine.quiet():
            await self.facts.forget([owner for owner in owners if partition_of(owner) in ours])
            await self.facts.drop([owner for owner in owners if partition_of(owner) not in ours])
        self.log.info("facts.expired", visitors=len(owners), days=self.facts_days)

    async def _settle_parked(self) -> None:
        """Told of where they are ours to tell of; of another's partition, the copies that are left here go."""
        for (doc,) in await self.store.look("SELECT doc FROM parked WHERE denied(doc)"):
            work = self.parking.work(doc)
            if work.partition in self.engine.ledger.partitions:
                await self.settlement.settle(work, filtered(Filter.ERASED))
            else:
                await self.parking.drop(work)
