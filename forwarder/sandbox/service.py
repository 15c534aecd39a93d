"""The sandbox as a process: binds, serves, ends at a signal."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from base.clock import Clock, SystemClock
from base.errors import StartError
from base.ids import IdSource, SystemIds
from base.lock import lock_data_dir
from forwarder.sandbox.app import VENDORS, build_sandbox
from forwarder.sandbox.calls import Calls
from forwarder.sandbox.delivery import BreakableProtocol
from forwarder.settings import SandboxRoot

_GRACE: Final = 2  # seconds: a call that is made to hang must not hold up the end


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise them again once it has ended, and the exit code would not be 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    def stop(self) -> None:
        self.should_exit = True


async def run_sandbox(
    settings: SandboxRoot,
    ready: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
) -> None:
    """Until SIGINT or SIGTERM. `ready` is called once it listens. StartError when it can't have its port or its file."""
    clock, ids = clock or SystemClock(), ids or SystemIds()
    sandbox = settings.sandbox
    with lock_data_dir(settings.data_dir, "sandbox-calls"), _listening(sandbox.host, sandbox.port) as door:
        calls = Calls(settings.data_dir, VENDORS)
        calls.open()
        config = uvicorn.Config(
            build_sandbox(calls, clock, ids, sandbox.token_seconds),
            http=BreakableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE,
        )
        ready()
        await _Server(config).serve(sockets=[door])
        await calls.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise StartError(
            f"can't listen on {host}:{port} (sandbox.port): {os.strerror(error.errno or 0)}",
            "stop what holds it, or choose another port",
        ) from error
