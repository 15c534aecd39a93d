"""One process tree: starts the children, replaces what dies, ends what it started.

A child that ends by itself is replaced at once, later if it keeps dying. When this process dies, however it dies, its
children do too (base.process.die_with_parent), so nobody is left writing to the data directory.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from base.clock import Clock
from base.errors import StartError
from base.logs import Logger
from base.ready import READY_FD

START_SECONDS = 60.0  # for all children to serve; a large log is scanned first
FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS = 0.1, 2.5, 10.0


@dataclass(frozen=True, slots=True)
class Child:
    """`order` of ending: lower ends first, and is gone before the next is told to go."""

    name: str
    module: str
    order: int
    arguments: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Running:
    child: Child
    process: asyncio.subprocess.Process
    ready: asyncio.Future[Any]


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
        self._running: dict[str, _Running] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._ending = False

    async def start(self) -> None:
        """Returns once every child serves. StartError with the child's own exit code as its, when one can't."""
        try:
            async with asyncio.timeout(START_SECONDS):
                for child in sorted(self._children, key=lambda child: -child.order):
                    await self._spawn(child)
                await asyncio.gather(*(self._until_ready(running) for running in self._running.values()))
        except TimeoutError as error:
            waiting = [name for name, running in self._running.items() if not running.ready.done()]
            raise StartError(f"not serving after {START_SECONDS:.0f} s: {', '.join(waiting)}") from error
        self._keepers = [asyncio.create_task(self._keep(child)) for child in self._children]

    async def _until_ready(self, running: _Running) -> None:
        ended: asyncio.Future[Any] = asyncio.ensure_future(running.process.wait())
        await asyncio.wait([ended, running.ready], return_when=asyncio.FIRST_COMPLETED)
        if not running.ready.done():
            error = StartError(f"{running.child.name} could not start", "its own words stand above")
            error.exit_code = ended.result() if ended.result() > 0 else StartError.exit_code
            raise error
        ended.cancel()

    async def _spawn(self, child: Child) -> _Running:
        ready_read, ready_write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                child.module,
                *child.arguments,
                env={**self._environ, **child.environ, READY_FD: str(ready_write)},
                pass_fds=(*child.fds, ready_write),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=None if self._lines is None else asyncio.subprocess.PIPE,
                limit=4 * 1024 * 1024,
                start_new_session=True,  # Ctrl-C is this process's to hear: children end in their order
            )
        finally:
            os.close(ready_write)
        running = _Running(child, process, _written(ready_read))
        self._running[child.name] = running
        if process.stderr is not None and self._lines is not None:
            self._keepers.append(asyncio.create_task(_relay_lines(process.stderr, self._lines)))
        return running

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY
        while True:
            running = self._running[child.name]
            started = self._clock.monotonic()
            code = await running.process.wait()
            self._died(running.process.pid)
            if self._ending:
                return
            delay = FIRST_DELAY if self._clock.monotonic() - started > STEADY_SECONDS else delay
            self._logger.error("child.died", child=child.name, pid=running.process.pid, code=code, again_in=delay)
            await self._clock.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            if self._ending:
                return
            await self._spawn(child)

    async def stop(self, deadline: float) -> int:
        """SIGTERM, group after group by `order`; SIGKILL for what is left after `deadline` seconds. The worst exit code."""
        self._ending = True
        ends = self._clock.monotonic() + deadline
        worst = 0
        for order in sorted({child.order for child in self._children}):
            group = [running for running in self._running.values() if running.child.order == order]
            for running in group:
                _signal(running.process, signal.SIGTERM)
            for running in group:
                worst = max(worst, await self._ended(running, ends - self._clock.monotonic()))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        return worst

    async def _ended(self, running: _Running, seconds: float) -> int:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.1, seconds)):
                code = await running.process.wait()
            before_it_served = code == -signal.SIGTERM and not running.ready.done()
            return 0 if before_it_served else abs(code)
        self._logger.error("child.killed", child=running.child.name, after=round(seconds, 1))
        _signal(running.process, signal.SIGKILL)
        await running.process.wait()
        return 1

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Of the tree; whether events can be made durable, a collector's own /health/ready says."""
        gone = [name for name, running in self._running.items() if running.process.returncode is not None]
        return (503, {"status": "replacing", "children": gone}) if gone else (200, {"status": "ready"})

    def pids(self) -> dict[str, int]:
        return {name: running.process.pid for name, running in self._running.items()}


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _written(descriptor: int) -> asyncio.Future[Any]:
    """Done when the child writes to its end: it serves. A child that dies first never does."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Any] = loop.create_future()

    def readable() -> None:
        loop.remove_reader(descriptor)
        if os.read(descriptor, 1) and not ready.done():
            ready.set_result(None)
        os.close(descriptor)

    loop.add_reader(descriptor, readable)
    return ready


async def _relay_lines(stream: asyncio.StreamReader, lines: Callable[[str], None]) -> None:
    async for line in stream:
        lines(line.decode("utf-8", "replace").rstrip())
