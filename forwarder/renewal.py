"""A destination whose settings were changed while it runs: what plans and judges is replaced between two calls.

It keeps no state, so another may stand in its place at any time; what is under way is planned anew by the next round.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from eventlog.event import Event
from forwarder.delivery.engine import Engine
from forwarder.destinations.base import Call, Destination, Facts, Plan, Verdict
from forwarder.errors import TransportError
from forwarder.transport import Reply


@dataclass(slots=True)
class Renewal:
    """`secrets` are those learned since the start: the earlier ones may still stand in what is shown to people."""

    happened: asyncio.Event = field(default_factory=asyncio.Event)
    secrets: set[str] = field(default_factory=set)


class Renewable:
    """A destination as its settings are now. Its batches stay as the engine was built for them; what is late does not."""

    def __init__(self, first: Destination) -> None:
        self.name = first.name
        self.kind = first.kind
        self.batch = first.batch
        self.renewal = Renewal()
        self._now = first

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return self._now.plan(events, facts, now)

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        return self._now.classify(call, reply)

    def renew(self, destination: Destination, secrets: Iterable[str]) -> None:
        self._now = destination
        self.batch = replace(self.batch, late_after=destination.batch.late_after)
        self.renewal.secrets.update(secrets)
        self.renewal.happened.set()


async def take_up(renewal: Renewal, engine: Engine) -> None:
    """Until it is cancelled: what stood still for its settings' sake tries the new ones at once."""
    while True:
        await renewal.happened.wait()
        renewal.happened.clear()
        engine.breaker.mended(engine.clock.monotonic())
        await engine.parking.hurry()
        engine.accept(())
