"""A child of the supervisor: what it is, and one process that is it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from base.ready import PARENT_PID, READY_FD


class Renewal(Enum):
    """How another process takes a child's place while the tree runs."""

    BESIDE = auto()  # it serves before the old one is told to go
    AFTER = auto()  # the old one has gone before it begins: what they hold can't be shared
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Child:
    """`order` of ending: lower ends first, and is gone before the next is told to go."""

    name: str
    module: str
    order: int
    arguments: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    renewal: Renewal = Renewal.NEVER


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """`began`: on the monotonic clock. `ready` is done once it serves, and never when it ends before."""

    child: Child
    process: asyncio.subprocess.Process
    began: float
    ready: asyncio.Future[Any]

    @property
    def serves(self) -> bool:
        return self.ready.done() and self.process.returncode is None

    async def until_ready(self) -> int | None:
        """None, or the exit code of one that ended before it served."""
        ended: asyncio.Future[Any] = asyncio.ensure_future(self.process.wait())
        try:
            await asyncio.wait([ended, self.ready], return_when=asyncio.FIRST_COMPLETED)
            return None if self.ready.done() else int(ended.result())
        finally:
            ended.cancel()

    async def ended(self, seconds: float) -> int | None:
        """Its exit code, 0 for one that was told to go before it served; None: it is still there after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.1, seconds)):
                code = await self.process.wait()
            before_it_served = code == -signal.SIGTERM and not self.ready.done()
            return 0 if before_it_served else abs(code)
        return None

    def signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)


async def start_child(child: Child, environ: Mapping[str, str], began: float, *, piped: bool) -> Running:
    """`piped`: its standard error is ours to read, not its user's."""
    ready_read, ready_write = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            child.module,
            *child.arguments,
            env={**environ, **child.environ, READY_FD: str(ready_write), PARENT_PID: str(os.getpid())},
            pass_fds=(*child.fds, ready_write),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE if piped else None,
            limit=4 * 1024 * 1024,
            start_new_session=True,  # Ctrl-C is the parent's to hear: children end in their order
        )
    except BaseException:
        os.close(ready_read)
        raise
    finally:
        os.close(ready_write)
    return Running(child, process, began, _written(ready_read))


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


async def relay_lines(stream: asyncio.StreamReader, lines: Callable[[str], None]) -> None:
    async for line in stream:
        lines(line.decode("utf-8", "replace").rstrip())
