"""Keeps a destination busy: starts units as far as its concurrency and its breaker let it, brings back those that wait.

Crash-only: what goes wrong here ends the engine, and a new one begins at the committed offsets.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from base.clock import Clock
from base.reasons import Parked
from forwarder.delivery.asides import Asides
from forwarder.delivery.batching import Queue
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.late_lane import LateLane, Spare
from forwarder.delivery.rounds import Rounds, unique
from forwarder.delivery.settlement import Settlement
from forwarder.delivery.slow_lane import SlowLane
from forwarder.destinations.base import Plan, parked
from forwarder.keeping.facts import FactStore
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.work import Unit, Work


@dataclass(slots=True, kw_only=True, eq=False)
class Engine:
    queue: Queue
    rounds: Rounds
    breaker: Breaker
    facts: FactStore
    parking: Parking
    settlement: Settlement
    ledger: Ledger
    concurrency: int
    clock: Clock
    cpu: Callable[[], float]
    _wake: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _running: set[asyncio.Task[None]] = field(init=False, default_factory=set)
    _failure: Exception | None = field(init=False, default=None)
    _ending: bool = field(init=False, default=False)
    _quiet: bool = field(init=False, default=False)
    _quieting: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)
    _new_first: bool = field(init=False, default=False)
    _asides: Asides = field(init=False)
    _order: Iterator[int] = field(init=False, default_factory=count)
    _later: list[tuple[float, int, Unit]] = field(init=False, default_factory=list)  # a heap by when they go on
    _slow: SlowLane = field(init=False)
    _late: LateLane = field(init=False)

    def __post_init__(self) -> None:
        self._asides = Asides(
            ledger=self.ledger,
            settlement=self.settlement,
            queue=self.queue,
            clock=self.clock,
            wake=self._wake,
            left=self._left,
        )
        self._slow = SlowLane(
            parking=self.parking,
            ledger=self.ledger,
            rounds=self.rounds,
            settlement=self.settlement,
            breaker=self.breaker,
            queue=self.queue,
            concurrency=self.concurrency,
            clock=self.clock,
            may_go_on=self._may_go_on,
        )
        self._late = LateLane(
            parking=self.parking,
            ledger=self.ledger,
            rounds=self.rounds,
            settlement=self.settlement,
            breaker=self.breaker,
            queue=self.queue,
            concurrency=self.concurrency,
            clock=self.clock,
            spare=Spare(self.cpu),
            may_go_on=self._may_go_on,
        )

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def accept(self, works: Iterable[Work]) -> None:
        for work in works:
            self.queue.add(work)
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`; raises what a unit raised."""
        while not self._ending:
            if failure := self._failure or self._asides.failure:
                raise failure
            self._wake.clear()
            self.ledger.write()  # of all units that have ended meanwhile, at once
            looks = self.breaker.is_running() and not self._quiet
            shut = self._asides.look(unit for _, _, unit in self._later if not unit.along) if looks else None
            self._start()
            await self._rest(shut)

    async def stop(self, seconds: float) -> None:
        """No new rounds; those under way may end within `seconds`. What is not settled then is read again."""
        self._ending = True
        self._wake.set()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        left = list(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, *self._asides.cancel(), return_exceptions=True)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Nothing is under way inside: what a new partition brings may be restored. One at a time."""
        async with self._quieting:
            self._quiet = True
            try:
                if self._running:
                    await asyncio.wait(self._running)
                await self._asides.parked()
                yield
            finally:
                self._quiet = False
                self._wake.set()

    def _start(self) -> None:
        while not self._quiet and len(self._running) < self.concurrency:
            now = self.clock.monotonic()
            if not self.breaker.allows(now):
                return
            probe = not self.breaker.is_running()
            job = self._next(now, probe)
            if job is None:
                return
            self.breaker.begin()
            task = asyncio.create_task(self._bring(job, probe))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _next(self, now: float, probe: bool) -> Coroutine[Any, Any, None] | None:
        """Every other probe is somebody new: else one event that always fails would keep the breaker open for all."""
        self._new_first = probe and not self._new_first
        if self._new_first:
            return self._next_new(now, probe) or self._next_again(now, probe)
        return self._next_again(now, probe) or self._next_new(now, probe)

    def _next_again(self, now: float, probe: bool) -> Coroutine[Any, Any, None] | None:
        if self._later and self._later[0][0] <= now:
            return self._go_on(heapq.heappop(self._later)[2], probe)
        return None

    def _next_new(self, now: float, probe: bool) -> Coroutine[Any, Any, None] | None:
        waiting = self.parking.holds_any()
        if waiting and not probe and (subject := self._slow.next(now)):
            return self._slow.bring(subject, probe)
        if waiting and not probe and self._late.is_overdue(now) and (late := self._late.next(now)):
            return self._late.bring(late, probe)
        if works := self.queue.take(now):
            unit = Unit.of(works)
            self._asides.units.add(unit)
            return self._bring_new(unit, probe)
        if waiting and probe and (subject := self._slow.next(now)):
            return self._slow.bring(subject, probe)
        if waiting and (late := self._late.next(now)):
            return self._late.bring(late, probe)
        return None

    def _left(self, unit: Unit) -> None:
        """Its events are parked. One that is in flight ends by itself."""
        others = [later for later in self._later if later[2] is not unit]
        if len(others) < len(self._later):
            self._later = others
            heapq.heapify(self._later)
            self._end(unit)

    def _end(self, unit: Unit) -> None:
        self._asides.units.discard(unit)
        self.queue.release(unit.subjects)

    async def _bring(self, job: Coroutine[Any, Any, None], probe: bool) -> None:
        try:
            await job
        except Exception as error:  # noqa: BLE001 - `run` raises it
            self._failure = self._failure or error
        finally:
            if probe:
                self.breaker.end()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._wake.set()

    def _may_go_on(self, probe: bool) -> bool:
        return not self._ending and not self._quiet and (probe or self.breaker.is_running())

    async def _go_on(self, unit: Unit, probe: bool) -> None:
        delay: float | None = 0.0
        while not unit.aside and unit.current() and self._may_go_on(probe):
            if unit.along:
                self._late.bring_along(unit)
            delay = await self.rounds.go(unit)
            if delay is not None:
                break
        if unit.aside:
            await self._asides.parked()
        if not unit.aside and unit.current():
            self._wait(unit, delay or 0.0)
        else:
            self._end(unit)

    def _wait(self, unit: Unit, seconds: float) -> None:
        heapq.heappush(self._later, (self.clock.monotonic() + seconds, next(self._order), unit))

    async def _bring_new(self, unit: Unit, probe: bool) -> None:
        """Events of visitors that have parked ones go behind those, or together; late ones wait; the others go out."""
        if aside := [work for work in unit.works() if work.aside]:
            unit.leave(aside)
            await self._asides.parked()
        standing = self.parking.among(unit.subjects)
        if late := self._late.apart(unit, standing):
            unit.leave(await self._late.park(late))
        for subject in [subject for subject, before in standing.items() if not before.comes_along]:
            behind = [work for work in unit.works() if work.subject == subject]
            unit.leave(behind)
            if not standing[
                subject
            ].held:  # they are many, and have a turn of their own, which plans them in their order
                wait = parked(Parked.BEHIND_PARKED)
                await self.settlement.settle_all(((work, wait) for work in behind), due=True)
            elif behind and await self._park_behind(behind):
                await self._slow.clear(subject, probe)
        for other in self._late.split(unit, standing) if standing and not unit.aside else ():
            self._asides.units.add(other)
            self._wait(other, 0.0)
        await self._go_on(unit, probe)

    async def _park_behind(self, works: list[Work]) -> bool:
        """What these teach is stored first: it may be what the parked ones wait for. False: they change nothing, so
        a device that will never get on costs a plan of its new event, not of all its old ones."""
        events = unique(works)
        plan = self.rounds.plan(events) or Plan()
        taught = await self.facts.put(plan.facts, events)
        behind = parked(Parked.BEHIND_PARKED)
        await self.settlement.settle_all((work, plan.settled.get(work.event.id, behind)) for work in works)
        return taught or len(plan.settled) < len(events)

    def leave(self, gone: Callable[[Work], bool]) -> None:
        """While all is quiet: what waits to go on counts no more where it is settled elsewhere."""
        for _, _, unit in self._later:
            for work in unit.works():
                work.live = work.live and not gone(work)

    async def _rest(self, shut: float | None) -> None:
        """Until something has changed, or is due."""
        due = self._due(shut)
        if due is None:
            await self._wake.wait()
            return
        waking = asyncio.create_task(self._wake.wait())
        sleeping = asyncio.create_task(self.clock.sleep(due))
        try:
            await asyncio.wait((waking, sleeping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waking, sleeping):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _due(self, shut: float | None) -> float | None:
        if self._quiet or len(self._running) >= self.concurrency:
            return shut
        now = self.clock.monotonic()
        if not self.breaker.allows(now):
            return self.breaker.due(now)
        later = self._later[0][0] - now if self._later else None
        lanes = (self._slow.due(now), self._late.due(now)) if self.parking.holds_any() else ()
        dues = (self.queue.due(now), later, *lanes, shut)
        return min((max(0.0, due) for due in dues if due is not None), default=None)
