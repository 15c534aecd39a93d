"""What a child process owes its parent."""

import asyncio
import ctypes
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from base.ready import PARENT_PID

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_OWN_DESCRIPTORS: Final = 100  # the log's files, brokers, metrics, pipes


def die_with_parent(environ: Mapping[str, str]) -> None:
    """From now on this process is killed when the process that started it has gone.

    Call it first. The kernel watches only from this call on, so who started it is looked for once: as PARENT_PID tells,
    as one that goes while its child still comes up is not found by asking.
    """
    if sys.platform != "linux":
        logging.getLogger(__name__).warning("this system can't tie a process to its parent: end it yourself")
        return
    parent = int(environ.get(PARENT_PID, os.getppid()))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def stand() -> None:
    """What stands now stands to the end: looking through it again and again would stop the loop for tens of milliseconds
    (docs/decisions/0002-embedded-log.md)."""
    gc.collect()
    gc.freeze()


def take_all_descriptors() -> None:
    """As many as the system lets this process have: the usual limit is 1,024, and each connection takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # the system's own bound was lowered below it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def most_connections() -> int:
    """What the limit on descriptors leaves for them, besides the files that the process itself must be able to open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = sys.maxsize if soft == resource.RLIM_INFINITY else soft
    return max(limit - _OWN_DESCRIPTORS, limit // 2)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True


def ending_at_signal() -> asyncio.Event:
    """Set at SIGINT or SIGTERM. Call on the running loop."""
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    return ending


def hangups(ending: asyncio.Event) -> asyncio.Event:
    """Set at SIGHUP; but when our terminal went with it, nobody is left who would end us, and `ending` is set."""
    hangup = asyncio.Event()
    on_terminal = sys.stderr.isatty()

    def heard() -> None:
        (ending if on_terminal and not sys.stderr.isatty() else hangup).set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heard)
    return hangup
