"""One process tree: starts the children, replaces what dies, renews what runs, ends what it started.

A child that ends by itself is replaced at once, later if it keeps dying. When this process dies, however it dies, its
children do too (base.process.die_with_parent), so nobody is left writing to the data directory.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from base.clock import Clock
from base.errors import StartError
from base.logs import Logger
from ochn.serving.running import Child, Renewal, Running, relay_lines, start_child

START_SECONDS = 60.0  # for all children to serve; a large log is scanned first
FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.1, 2.0, 10.0
_UNRENEWED = "the process from before goes on; mend what the new one said above, then send SIGHUP again"
_GONE = "the process from before had to end first; another is tried again and again"


class Supervisor:
    """`lines` receives what children write to standard error; None leaves it to them. `died` is told each dead pid."""

    def __init__(
        self,
        children: Sequence[Child],
        environ: Mapping[str, str],
        clock: Clock,
        logger: Logger,
        *,
        lines: Callable[[str], None] | None = None,
        died: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        self._children = tuple(children)
        self._environ = dict(environ)
        self._clock = clock
        self._logger = logger
        self._lines = lines
        self._died = died
        self._serving: dict[str, Running] = {}  # whose place it is, dead or alive
        self._alive: set[Running] = set()  # those, who will take their place, and who is on the way out
        self._changing = {child.name: asyncio.Lock() for child in children}  # one hand at a place
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Returns once every child serves. StartError with the child's own exit code as its, when one can't."""
        try:
            async with asyncio.timeout(START_SECONDS):
                for child in sorted(self._children, key=lambda child: -child.order):
                    self._serving[child.name] = await self._spawn(child)
                await asyncio.gather(*(self._until_ready(running) for running in self._serving.values()))
        except TimeoutError as error:
            waiting = [name for name, running in self._serving.items() if not running.ready.done()]
            raise StartError(f"not serving after {START_SECONDS:.0f} s: {', '.join(waiting)}") from error
        self._keepers = [asyncio.create_task(self._keep(child)) for child in self._children]

    async def _until_ready(self, running: Running) -> None:
        if (code := await running.until_ready()) is not None:
            error = StartError(f"{running.child.name} could not start", "its own words stand above")
            error.exit_code = code if code > 0 else StartError.exit_code
            raise error

    async def _spawn(self, child: Child) -> Running:
        running = await start_child(child, self._environ, self._clock.monotonic(), piped=self._lines is not None)
        self._alive.add(running)
        self._go(self._reap(running))
        if running.process.stderr is not None and self._lines is not None:
            self._go(relay_lines(running.process.stderr, self._lines))
        return running

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reap(self, running: Running) -> None:
        await running.process.wait()
        self._alive.discard(running)
        self._died(running.process.pid)

    async def _keep(self, child: Child) -> None:
        """Waits before each start, a little longer for each death in a row: a child that can't live costs no core."""
        deaths = 0
        while True:
            running = self._serving[child.name]
            code = await running.process.wait()
            async with self._changing[child.name]:
                if self._serving[child.name] is not running:
                    continue  # renewed: it was told to go
                deaths = 1 if self._clock.monotonic() - running.began > STEADY_SECONDS else deaths + 1
                delay = min(FIRST_DELAY * 2 ** min(deaths - 1, 10), LONGEST_DELAY)
                who = {"child": child.name, "pid": running.process.pid, "code": code}
                self._logger.error("child.died", **who, in_a_row=deaths, again_in=delay)
                await self._clock.sleep(delay)
                try:
                    self._serving[child.name] = await self._spawn(child)
                except OSError as error:  # no memory, no descriptor: it is as good as dead again
                    self._logger.warning("child.not_started", child=child.name, detail=str(error))

    async def renew(self, drain: float) -> bool:
        """Another process for each child, one after the other, so that all but one serve at any time. False: one could
        not start, and those after it stay as they are. `drain`: seconds until who does not go is killed."""
        for child in self._children:
            if child.renewal is Renewal.NEVER:
                continue
            async with self._changing[child.name]:
                try:
                    renewed = await (self._beside if child.renewal is Renewal.BESIDE else self._after)(child, drain)
                except OSError as error:
                    self._logger.warning("child.not_started", child=child.name, detail=str(error))
                    return False
            if not renewed:
                return False
        return True

    async def _beside(self, child: Child, drain: float) -> bool:
        new = await self._spawn(child)
        if not await self._in_time(new):
            self._logger.error("child.not_renewed", child=child.name, code=new.process.returncode, detail=_UNRENEWED)
            await self._end(new, 0)
            return False
        old, self._serving[child.name] = self._serving[child.name], new
        await self._end(old, drain)
        return True

    async def _after(self, child: Child, drain: float) -> bool:
        await self._end(self._serving[child.name], drain)
        new = self._serving[child.name] = await self._spawn(child)
        if not (renewed := await self._in_time(new)):
            self._logger.error("child.not_renewed", child=child.name, code=new.process.returncode, detail=_GONE)
        return renewed

    async def _in_time(self, running: Running) -> bool:
        try:
            async with asyncio.timeout(START_SECONDS):
                return await running.until_ready() is None
        except TimeoutError:
            return False

    async def _end(self, running: Running, seconds: float) -> int:
        """SIGTERM, and SIGKILL for who is still there after `seconds`. The exit code."""
        running.signal(signal.SIGTERM)
        if (code := await running.ended(seconds)) is not None:
            return code
        self._logger.error("child.killed", child=running.child.name, after=round(seconds, 1))
        running.signal(signal.SIGKILL)
        await running.process.wait()
        return 1

    async def stop(self, deadline: float) -> int:
        """All, group after group by `order`, within `deadline` seconds or by SIGKILL. The worst exit code."""
        await cancelled(*self._keepers)
        until = self._clock.monotonic() + deadline
        worst, left = 0, {*self._alive, *self._serving.values()}
        for order in sorted({running.child.order for running in left}):
            group = [running for running in left if running.child.order == order]
            ends = (self._end(running, until - self._clock.monotonic()) for running in group)
            worst = max(worst, *await asyncio.gather(*ends))
        await cancelled(*self._tasks)
        return worst

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Of the tree; whether events can be made durable, a collector's own /health/ready says."""
        gone = [name for name, running in self._serving.items() if not running.serves]
        return (503, {"status": "replacing", "children": gone}) if gone else (200, {"status": "ready"})

    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self._serving.items()}


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
