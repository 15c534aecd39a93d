"""What the supervisor starts: `python -m ochn.serving.child collector|forwarder|sandbox NUMBER [SOCKET]`."""

import asyncio
import os
import socket
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from base.errors import UserError
from base.process import die_with_parent, stand, take_all_descriptors
from base.ready import tell_ready
from base.settings import load
from ochn.config import Settings


def main(arguments: list[str]) -> int:
    die_with_parent(os.environ)
    take_all_descriptors()
    try:
        settings = load(Settings, os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_service(settings, arguments))
    except UserError as error:
        sys.stderr.write(f"ochn {arguments[0]}: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


def _service(settings: Settings, arguments: list[str]) -> Coroutine[Any, Any, None]:
    """Imports what this child is, and nothing else: three programs need not share one's memory."""
    role, number = arguments[0], int(arguments[1])

    def ready() -> None:
        stand()
        tell_ready(os.environ)

    if role == "collector":
        from collector.service import run_worker  # noqa: PLC0415

        listening = socket.socket(fileno=int(arguments[2]))
        return run_worker(settings, listening, name=f"collector-{number}", admin=False, ready=ready)
    if role == "forwarder":
        from forwarder.service import run_forwarder  # noqa: PLC0415

        return run_forwarder(settings, admin=False, ready=ready)
    from forwarder.sandbox import run_sandbox  # noqa: PLC0415

    return run_sandbox(settings, ready=ready)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
