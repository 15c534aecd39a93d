"""The sandbox as a process: binds, serves, ends at a signal."""

from collections.abc import Callable
from typing import Final

from base.clock import Clock, SystemClock
from base.ids import IdSource, SystemIds
from base.lock import lock_data_dir
from base.process import ending_at_signal
from base.serving import Server, listen
from forwarder.sandbox.app import VENDORS, build_sandbox
from forwarder.sandbox.calls import Calls
from forwarder.sandbox.delivery import BreakableProtocol
from forwarder.settings import SandboxRoot

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
        await Server(app, _GRACE, ready, BreakableProtocol).serve_until(ending, door)
        await calls.close()
