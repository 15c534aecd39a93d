"""Loopback ports nobody else holds."""

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

LOWEST, HIGHEST = 10_000, 32_767  # what Linux gives to those who call out begins behind these
SHARES = 8  # of them, one a worker of pytest-xdist
TRIES = 1000


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; all are held until the last is known, so that no two are the same. Until who
    is to have them listens, which takes a broker twenty seconds, no connection gets one of them for its own end, as it
    could one that the system chose, and no other worker is told the same."""
    with contextlib.ExitStack() as held:
        return [_bound(held) for _ in range(count)]


def _bound(held: contextlib.ExitStack) -> int:
    for port in _candidates():
        one = held.enter_context(socket.socket())
        with contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return int(one.getsockname()[1])
    raise AssertionError("no port is free")


def _candidates() -> Iterator[int]:
    """0, any, where the system's own begin lower."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
    known = Path("/proc/sys/net/ipv4/ip_local_port_range")
    beyond = known.is_file() and int(known.read_text().split()[0]) > HIGHEST
    share = range(LOWEST + worker, HIGHEST + 1, SHARES)
    for _ in range(TRIES):
        yield random.choice(share) if beyond else 0
