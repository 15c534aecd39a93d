"""A command that serves: locks the data directory, binds, starts the children, says so, drains at a signal."""

import asyncio
import io
import shutil
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from base.admin import beside, build_admin, serve_admin
from base.clock import SystemClock
from base.guard import guarded
from base.lock import lock_data_dir
from base.logs import build_logger
from base.process import ending_at_signal, hangups
from base.serving import listen, url_of
from base.tallies import Tallies
from forwarder.delivery.status import read_all
from ochn.config import Settings
from ochn.served import remember
from ochn.serving.renewal import Renewals
from ochn.serving.running import Child, Renewal
from ochn.serving.supervisor import Supervisor, cancelled

CHILD = "ochn.serving.child"
END_SECONDS = 9.0  # from the signal to the last child's end; in a renewal, to the end of the one whose turn it is
LAST_SECONDS = 1.0  # of them, for a child to close what it has open once it has drained


@dataclass(frozen=True, slots=True)
class Tree:
    """`roles`: collector, forwarder, sandbox. `lines` is told what children and this process log; None: standard error."""

    settings: Settings
    environ: dict[str, str]
    roles: tuple[str, ...]
    lines: Callable[[str], None] | None = None
    tick: Callable[[], None] | None = None
    ready: Callable[["Serving"], None] | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """URLs of the addresses that were really taken: a port 0 in the settings is a free one here."""

    collector: str  # empty: no collector in this tree
    admin: str


def run_tree(tree: Tree) -> int:
    """The command's exit code: 0 after a drained end."""
    data_dir = tree.settings.data_dir
    with ExitStack() as locks:
        for role in tree.roles:
            locks.enter_context(lock_data_dir(data_dir, role))
        metrics = _fresh(data_dir / "run" / "-".join(tree.roles))
        return asyncio.run(_serve(tree, metrics))


async def _serve(tree: Tree, metrics: Path) -> int:
    ending = ending_at_signal()
    hangup = hangups(ending)
    settings, environ = tree.settings, dict(tree.environ)
    logger = build_logger(settings.logging, "ochn", None if tree.lines is None else _Lines(tree.lines))
    tallies = Tallies(metrics)
    with ExitStack() as sockets:
        door = None
        if "collector" in tree.roles:
            door = sockets.enter_context(listen(settings.collector.host, settings.collector.port, "collector.port"))
            environ["OCHN_COLLECTOR__PORT"] = str(door.getsockname()[1])
        remember(settings.data_dir, environ)
        environ["OCHN_DATA_DIR"] = str(settings.data_dir.resolve())  # the one that is locked, whatever the file says
        environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        children, clock = _children(tree, door), SystemClock()
        supervisor = Supervisor(children, environ, clock, logger, lines=tree.lines, died=tallies.bury)
        renewals = Renewals(supervisor, settings, tree.environ, END_SECONDS, clock, logger)
        admin_socket = sockets.enter_context(listen(settings.admin.host, _admin_port(tree, door), "admin.port"))
        try:
            await _until(ending, supervisor.start())
            if not ending.is_set():
                app = build_admin(tallies.registry(), supervisor.pids, supervisor.ready, _pages(tree))
                admin = guarded(app, settings.admin)
                tasks = [asyncio.create_task(work) for work in (serve_admin(admin, admin_socket), renewals.at(hangup))]
                _announce(tree, door, admin_socket)
                await _tick_until(ending, tree.tick)
                await cancelled(*tasks)
        finally:
            code = await supervisor.stop(END_SECONDS)
    return code


def _pages(tree: Tree) -> dict[str, Callable[[], Mapping[str, Any]]]:
    """Where a forwarder runs, how its destinations are."""
    told = partial(read_all, tree.settings.data_dir, tree.settings.destinations)
    return {"/destinations": told} if "forwarder" in tree.roles else {}


async def _until(ending: asyncio.Event, start: Coroutine[Any, Any, None]) -> None:
    """Starts, unless the end is asked for first."""
    starting = asyncio.ensure_future(start)
    waiting = asyncio.ensure_future(ending.wait())
    await asyncio.wait([starting, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if starting.done():
        starting.result()
    else:
        starting.cancel()


async def _tick_until(ending: asyncio.Event, tick: Callable[[], None] | None) -> None:
    while not ending.is_set():
        if tick is not None:
            tick()
        try:
            async with asyncio.timeout(0.25):
                await ending.wait()
        except TimeoutError:
            continue


def _children(tree: Tree, door: socket.socket | None) -> Sequence[Child]:
    """Ending order follows the data: first nothing comes in, then what is in flight goes out."""
    children, drains = [], _drains(tree)
    if door is not None:
        workers = range(tree.settings.collector.workers)
        fd = door.fileno()
        collector = partial(Child, module=CHILD, order=0, fds=(fd,), environ=drains, renewal=Renewal.BESIDE)
        children += [collector(f"collector-{n}", arguments=("collector", str(n), str(fd))) for n in workers]
    if "forwarder" in tree.roles:
        children.append(Child("forwarder", CHILD, 1, ("forwarder", "0"), environ=drains, renewal=Renewal.AFTER))
    if "sandbox" in tree.roles:
        children.append(Child("sandbox", CHILD, 2, ("sandbox", "0")))
    return children


def _drains(tree: Tree) -> dict[str, str]:
    """They end one after the other: each may drain for as long as leaves the later ones their share."""
    wanted = {
        "collector": tree.settings.collector.drain_seconds,
        "forwarder": tree.settings.forwarder.drain_seconds,
    }
    draining = [role for role in tree.roles if role in wanted]
    share = (END_SECONDS - LAST_SECONDS * len(tree.roles)) / max(1, len(draining))
    return {f"OCHN_{role.upper()}__DRAIN_SECONDS": str(min(share, wanted[role])) for role in draining}


def _announce(tree: Tree, door: socket.socket | None, admin: socket.socket) -> None:
    if tree.ready is not None:
        collector = "" if door is None else url_of(*door.getsockname()[:2])
        tree.ready(Serving(collector, url_of(*admin.getsockname()[:2])))


def _admin_port(tree: Tree, door: socket.socket | None) -> int:
    if tree.settings.admin.port is not None:
        return tree.settings.admin.port
    if door is not None:
        return beside(int(door.getsockname()[1]))
    return 9081 if "forwarder" in tree.roles else 0


class _Lines(io.StringIO):
    """A stream whose lines are told."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def write(self, text: str) -> int:
        if line := text.strip():
            self._tell(line)
        return len(text)


def _fresh(directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
