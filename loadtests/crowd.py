"""Thousands of connections that say little: the slow ones say a byte a second, each at a moment of its own in it, the
idle ones nothing.

    python -m loadtests.crowd PORT COUNT headers|body|again|idle SECONDS

Only ever at loopback. It prints `open` once all are, and what it saw as a line of JSON, so that it can be a process of
its own.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final, cast

import uvloop

from loadtests.machine import ROOT, Cores, pinned
from loadtests.servers import HOST

TURNS: Final = 50  # in a second: each is some connections' moment
AT_ONCE: Final = 200  # connections that are opened beside each other
HEAD: Final = b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\n"
WHOLE: Final = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
KINDS: Final = {  # what is said at once, and what a byte a second
    "headers": (HEAD, b"X-Slow: " + b"a" * 10_000),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b"a" * 10_000),
    "again": (WHOLE, HEAD + b"X-Slow: " + b"a" * 10_000),
    "idle": (b"", b""),
}


@dataclass(frozen=True)
class Seen:
    """`closed` of `opened` within the time, the last after `longest` seconds from when it began to be slow."""

    kind: str
    opened: int
    closed: int
    longest: float


@dataclass
class _Slow(asyncio.Protocol):
    first: bytes
    began: float = 0.0
    ended: float = 0.0
    _transport: asyncio.WriteTransport | None = field(default=None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self.say(self.first)
        if self.first == WHOLE:
            self.began = 0.0  # it is slow only with what it says next

    def connection_lost(self, _: Exception | None) -> None:
        self.ended = time.monotonic()

    def say(self, piece: bytes) -> None:
        if piece and not self.ended and self._transport is not None:
            self.began = self.began or time.monotonic()
            self._transport.write(piece)

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def crowd(port: int, count: int, kind: str, seconds: float) -> Seen:
    """Ends after `seconds`, or once all have been closed."""
    first, drip = KINDS[kind]
    loop, slow = asyncio.get_running_loop(), list[_Slow]()
    for at in range(0, count, AT_ONCE):
        opened = (loop.create_connection(lambda: _Slow(first), HOST, port) for _ in range(min(AT_ONCE, count - at)))
        slow += [protocol for _, protocol in await asyncio.gather(*opened)]
    print("open", flush=True)
    until, began, turn = time.monotonic() + seconds, time.monotonic(), 0
    while time.monotonic() < until and not all(one.ended for one in slow):
        place = turn // TURNS
        for one in slow[turn % TURNS :: TURNS]:
            one.say(drip[place : place + 1])
        turn += 1
        await asyncio.sleep(max(0.0, began + turn / TURNS - time.monotonic()))
    closed = [one.ended - one.began for one in slow if one.ended]
    for one in slow:
        one.leave()
    return Seen(kind, len(slow), len(closed), round(max(closed, default=0.0), 1))


def started(port: int, count: int, kind: str, seconds: float, cores: Cores = ()) -> "subprocess.Popen[str]":
    """A process of its own; `seen` waits for it."""
    how: Sequence[str] = [str(port), str(count), kind, str(seconds)]
    command = pinned(cores, [sys.executable, "-m", "loadtests.crowd", *how])
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def are_open(driver: "subprocess.Popen[str]") -> None:
    """Waits until they are."""
    assert driver.stdout is not None
    driver.stdout.readline()


def seen(driver: "subprocess.Popen[str]") -> Seen:
    assert driver.stdout is not None
    return Seen(**json.loads(driver.stdout.read().splitlines()[-1]))  # whether or not somebody has read `open`


def main(port: str, count: str, kind: str, seconds: str) -> None:
    print(json.dumps(asdict(uvloop.run(crowd(int(port), int(count), kind, float(seconds))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
