"""Load at a rate that does not wait for the answers, which tells how long people wait.

wrk sends its next request when the last was answered: while a server stands still it stands still too, and the waits
that people would have had in that time are never counted (coordinated omission). Here request n is due at n / rate, and
its wait begins then, whether or not a connection was free. `python -m loadtests.paced` is one such driver; it prints
what it saw as a line of JSON, so that it can sit on a core of its own.
"""

import asyncio
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import uvloop

from loadtests.calls import VISITORS, Call
from loadtests.machine import ROOT, Cores, pinned
from loadtests.servers import HOST, Server

TICK = 0.001  # seconds between two looks at what is due
PATIENCE = 20.0  # seconds for the last answers
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Waits:
    """Of people, in milliseconds from when they were due. `late`: due, and never answered within `PATIENCE`."""

    rate: float
    answered: int
    refused: int
    late: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


@dataclass
class Pacer:
    """Hands out what is due to connections that are free."""

    text: str
    rate: float
    seconds: float
    started: float = 0.0
    sent: int = 0
    free: "deque[Connection]" = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)
    refused: int = 0

    async def run(self, port: int, connections: int) -> Waits:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: Connection(self), HOST, port)
        self.started, total = time.perf_counter(), round(self.rate * self.seconds)
        until = self.started + self.seconds + PATIENCE
        while (self.sent < total or len(self.waits) + self.refused < total) and time.perf_counter() < until:
            self._send_due(total)
            await asyncio.sleep(TICK)
        return self._waits(total)

    def _send_due(self, total: int) -> None:
        due = min(total, math.ceil((time.perf_counter() - self.started) * self.rate))
        while self.sent < due and self.free:
            text = Call("", self.text, 0).filled(random.randrange(VISITORS))
            self.free.popleft().send(text, self.started + self.sent / self.rate)
            self.sent += 1

    def gone(self, connection: "Connection") -> None:
        """Whoever it waited for is late; the others go on."""
        if connection in self.free:
            self.free.remove(connection)

    def answered(self, due: float, *, good: bool) -> None:
        if good:
            self.waits.append(time.perf_counter() - due)
        else:
            self.refused += 1

    def _waits(self, total: int) -> Waits:
        ordered = sorted(self.waits)
        late = total - len(ordered) - self.refused
        p50, p99, p999, longest = (1000 * part(ordered, share) for share in (0.5, 0.99, 0.999, 1.0))
        return Waits(self.rate, len(ordered), self.refused, late, p50, p99, p999, longest)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._due = 0.0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast(asyncio.WriteTransport, transport).write  # uvloop's is none by its class
        self._pacer.free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._pacer.gone(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if whole(self._got):
            good = self._got.startswith(b"HTTP/1.1 200")
            self._got = b""
            self._pacer.answered(self._due, good=good)
            self._pacer.free.append(self)


def whole(answer: bytes) -> bool:
    """Whether all of an answer with a Content-Length is there."""
    head, end, body = answer.partition(HEAD_END)
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length or 0)


def part(ordered: list[float], share: float) -> float:
    """The value that `share` of them don't pass; 0 when there is none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(frozen=True)
class Pace:
    """`rate` calls a second for `seconds`, over `connections` that wait when they are free."""

    call: Call
    connections: int
    rate: float
    seconds: float

    def on(self, server: Server, cores: Cores) -> Waits:
        with self.started(server, cores) as driver:
            return told(driver)

    def started(self, server: Server, cores: Cores) -> "subprocess.Popen[str]":
        """A process of its own; `told` waits for it."""
        with tempfile.NamedTemporaryFile("w", newline="", delete=False) as file:
            file.write(self.call.text)
        how = [file.name, str(server.port), str(self.connections), str(self.rate), str(self.seconds)]
        command = pinned(cores, [sys.executable, "-m", "loadtests.paced", *how])
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def told(driver: "subprocess.Popen[str]") -> Waits:
    """What a driver saw, once it has ended."""
    assert driver.stdout is not None
    return Waits(**json.loads(driver.stdout.read()))


def main(file: str, port: str, connections: str, rate: str, seconds: str) -> None:
    text = Path(file).read_bytes().decode()  # as it is: lines end in CRLF
    Path(file).unlink()
    pacer = Pacer(text, float(rate), float(seconds))
    print(json.dumps(asdict(uvloop.run(pacer.run(int(port), int(connections))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
