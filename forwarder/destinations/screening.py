"""A destination around another, which gets less of what comes: the rest is settled before the other plans."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from eventlog.event import Event
from forwarder.destinations.base import BatchPolicy, Call, Destination, Facts, Outcome, Plan, Verdict
from forwarder.errors import TransportError
from forwarder.transport import Reply


class Screening(ABC):
    """Asked at every plan, so what waits here, parked or to be tried again, is screened once more before it is sent."""

    def __init__(self, inner: Destination) -> None:
        self.name = inner.name
        self.kind = inner.kind
        self._inner = inner

    @property
    def batch(self) -> BatchPolicy:
        return self._inner.batch

    @abstractmethod
    def settled(self, events: Sequence[Event]) -> Mapping[str, Outcome]:
        """By id, those that the other is not to see: neither the event nor what it teaches."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        settled = self.settled(events)
        if not settled:
            return self._inner.plan(events, facts, now)
        others = [event for event in events if event.id not in settled]
        plan = self._inner.plan(others, facts, now) if others else Plan()
        return plan._replace(settled={**plan.settled, **settled})

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        return self._inner.classify(call, reply)
