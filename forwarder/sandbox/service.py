"""The sandbox as a process: binds, serves, ends at a signal."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp

from base.clock import Clock, SystemClock
from base.ids import IdSource, SystemIds
from base.lock import lock_data_dir
from base.process import ending_at_signal
from base.serving import Server, listen
from forwarder.sandbox.app import VENDORS, build_sandbox
from forwarder.sandbox.calls import Calls
from forwarder.sandbox.delivery import BreakableProtocol
from forwarder.settings import SandboxRoot, SandboxSettings

EXPIRED: Final = Path(__file__).with_name("expired.pem")  # since 2025; its key is nobody's secret
_GRACE: Final = 2  # seconds: a call that is made to hang must not hold up the end


async def run_sandbox(
    settings: SandboxRoot,
    ready: Callable[[], None] = lambda: None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
) -> None:
    """Until SIGINT or SIGTERM. `ready` is called once it listens. StartError when it can't have its port or its file."""
    clock, ids = clock or SystemClock(), ids or SystemIds()
    ending = ending_at_signal()
    sandbox = settings.sandbox
    with lock_data_dir(settings.data_dir, "sandbox-calls"), listen(sandbox.host, sandbox.port, "sandbox.port") as door:
        calls = Calls(settings.data_dir, VENDORS)
        calls.open()
        app = build_sandbox(calls, clock, ids, sandbox.token_seconds)
        serving = Server(app, _GRACE, ready, BreakableProtocol).serve_until(ending, door)
        await asyncio.gather(serving, _behind_an_old_certificate(app, sandbox, ending))
        await calls.close()


async def _behind_an_old_certificate(app: ASGIApp, sandbox: SandboxSettings, ending: asyncio.Event) -> None:
    if sandbox.expired_tls_port:
        with listen(sandbox.host, sandbox.expired_tls_port, "sandbox.expired_tls_port") as door:
            server = Server(app, _GRACE, http=BreakableProtocol, certificate=EXPIRED)
            await server.serve_until(ending, door)
