"""One upstream call: sent with a deadline, judged by its destination, counted. Shared calls fly once."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Histogram

from base.clock import Clock
from base.logs import Logger
from base.metrics import Counts, ForwarderMetrics
from base.reasons import Trouble
from base.values import Value
from eventlog.erased import Erased
from eventlog.event import Event
from forwarder.delivery.pace import Pace
from forwarder.destinations.base import Call, Destination, Verdict
from forwarder.errors import TransportError
from forwarder.keeping.facts import FactStore
from forwarder.retry import retry_after
from forwarder.transport import Reply, Transport
from forwarder.work import Evidence

UNHEARD_SECONDS: Final = 0.05  # between two looks whether the list of the erased was read
REMEMBERED: Final = 1000  # shared calls whose end is remembered, for plans that were made before it


class Planned(Value, frozen=True):
    """What a plan could know: of shared calls, of secrets, and of who was erased."""

    landed: int
    secrets: int
    erased: int


class Answer(Value, frozen=True):
    """`evidence` None: nothing was sent for this caller, who shares another's call or comes late to it."""

    call: Call
    verdict: Verdict
    evidence: Evidence | None = None
    taught: bool = False  # facts have changed


@dataclass(slots=True, kw_only=True, eq=False)
class Calls:
    destination: Destination
    transport: Transport
    facts: FactStore
    erased: Erased
    timeout: float
    side_by_side: asyncio.Semaphore
    pace: Pace
    clock: Clock
    metrics: ForwarderMetrics
    log: Logger
    _counts: Counts = field(init=False)
    _seconds: Histogram = field(init=False)
    _flying: dict[str, asyncio.Task[Answer]] = field(init=False, default_factory=dict)
    _landed: OrderedDict[str, int] = field(init=False, default_factory=OrderedDict)
    _count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._counts = Counts(self.metrics.calls)
        self._seconds = self.metrics.call_seconds.labels(self.destination.name)

    def stamp(self) -> Planned:
        """The moment of a plan."""
        return Planned(self._count, self.facts.stamp, self.erased.end)

    async def make(self, call: Call, events: Sequence[Event], planned: Planned, wanted: Callable[[], bool]) -> Answer:
        """What the reply taught is stored when this returns; `events` are those of the plan. A shared call that has come
        back since the plan is not made again: the next plan knows what it taught. Nor one that is not `wanted` any more
        when its turn has come, or when somebody was erased since the plan: the next knows whom."""
        if not call.shared:
            return await self._make(call, events, planned, wanted)
        flight = self._flying.get(call.shared)
        if flight is not None:
            answer = await asyncio.shield(flight)
            return Answer(call, answer.verdict, taught=answer.taught)
        if self._landed.get(call.shared, 0) > planned.landed:
            return Answer(call, Verdict(), taught=True)
        flight = self._flying[call.shared] = asyncio.create_task(self._fly(call, events, planned, wanted))
        return await flight

    async def _fly(self, call: Call, events: Sequence[Event], planned: Planned, wanted: Callable[[], bool]) -> Answer:
        """Lands before anybody who waits goes on: their next plans must not find it in the air."""
        try:
            return await self._make(call, events, planned, wanted)
        finally:
            del self._flying[call.shared]
            self._land(call.shared)

    def _land(self, shared: str) -> None:
        self._count += 1
        self._landed[shared] = self._count
        self._landed.move_to_end(shared)
        if len(self._landed) > REMEMBERED:
            self._landed.popitem(last=False)

    async def _make(self, call: Call, events: Sequence[Event], planned: Planned, wanted: Callable[[], bool]) -> Answer:
        async with self.side_by_side:
            await self.pace.turn()
            while not self.erased.is_fresh(self.clock.monotonic()):
                await self.clock.sleep(UNHEARD_SECONDS)
            if self.erased.end != planned.erased or not wanted():
                return Answer(call, Verdict())
            started = self.clock.monotonic()
            reply = await self._send(call)
        self._seconds.observe(self.clock.monotonic() - started)
        status = type(reply).__name__ if isinstance(reply, TransportError) else str(reply.status)
        self._counts.add(self.destination.name, call.purpose, status)
        verdict = self._judge(call, reply)
        taught = await self.facts.put(verdict.facts, events, planned.secrets)
        return Answer(call, verdict, Evidence(call.purpose, call.request, reply), taught)

    async def _send(self, call: Call) -> Reply | TransportError:
        try:
            return await self.transport.send(call.request, self.timeout)
        except TransportError as error:
            return error

    def _judge(self, call: Call, reply: Reply | TransportError) -> Verdict:
        try:
            verdict = self.destination.classify(call, reply)
        except Exception as error:
            self.log.exception("classify.failed", destination=self.destination.name, purpose=call.purpose)
            return Verdict(trouble=Trouble.UNREADABLE_REPLY, detail=f"classify: {type(error).__name__}: {error}")
        if verdict.trouble is not None and verdict.after is None and isinstance(reply, Reply):
            after = retry_after(reply.headers, self.clock.now())
            if after is not None:
                return Verdict({}, verdict.facts, verdict.trouble, after, detail=verdict.detail)
        return verdict
