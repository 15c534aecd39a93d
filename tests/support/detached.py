"""Processes that outlive, or must not outlive, the test that started them."""

import contextlib
import select
import signal
import subprocess
import sys
from os import pidfd_open
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start_detached(module: str, *arguments: object) -> None:
    """Runs `python -m module` as nobody's child: no one has to wait for it."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    quiet = subprocess.DEVNULL
    in_background = ["sh", "-c", '"$@" &', "sh", *command]
    subprocess.run(in_background, cwd=ROOT, stdin=quiet, stdout=quiet, stderr=quiet, check=True)


def end_with(owner: int, server: int) -> None:
    """Sees to it that `server` is killed when `owner` has gone, also when a test run is killed with -9.

    A watcher of its own, because PR_SET_PDEATHSIG fires when the *thread* that started the server ends.
    """
    start_detached("tests.support.detached", owner, server)


def wait_until_gone(*pids: int) -> None:
    """Returns as soon as one of the processes has ended; needs not be their parent."""
    with contextlib.ExitStack() as stack, contextlib.suppress(ProcessLookupError):
        held = [stack.enter_context(open(pidfd_open(pid), "rb", buffering=0)) for pid in pids]  # noqa: PTH123
        select.select(held, [], [])


def main(owner: int, server: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        held = pidfd_open(server)
        wait_until_gone(owner, server)
        signal.pidfd_send_signal(held, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
