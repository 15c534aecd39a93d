"""Answers in the order of their requests, whatever the order in which they are ready."""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from collector.arrival import Reply
from collector.door.door import Head, headers_of

_MOST: Final = 32  # then the client's next requests wait in the network


class Turn(Struct, eq=False):
    """A request that waits for its answer: a `reply` of the door, or a `cycle` that writes by itself once it is
    `started`. `last`: the connection ends behind it."""

    head: Head | None
    last: bool
    cycle: RequestResponseCycle | None = None
    reply: Reply | None = None


class Turns:
    """Pure but for what it is given to act with: `write` bytes, `start` an ASGI cycle."""

    def __init__(self, write: Callable[[Turn, Reply], None], start: Callable[[RequestResponseCycle], None]) -> None:
        self._write = write
        self._start = start
        self._waiting: deque[Turn] = deque()
        self._started: Turn | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def full(self) -> bool:
        """Of requests that go to ASGI, which are worked on one after the other, one may wait behind another."""
        return len(self._waiting) >= _MOST or (len(self._waiting) > 1 and self._waiting[-1].cycle is not None)

    def add(self, turn: Turn) -> None:
        self._waiting.append(turn)

    def unanswered(self) -> list[Turn]:
        """Those of the door."""
        return [turn for turn in self._waiting if turn.cycle is None and turn.reply is None]

    def newest(self) -> Turn:
        return self._waiting[-1]

    def drop(self) -> RequestResponseCycle | None:
        """Nobody is left to answer; the cycle that is still under way is handed out."""
        first = self._waiting[0] if self._waiting else None
        self._waiting.clear()
        return None if first is None or first is not self._started else first.cycle

    def ended(self) -> None:
        """The started cycle has written all."""
        if self._waiting and self._waiting[0] is self._started:
            self._waiting.popleft()
        self._started = None

    def advance(self) -> None:
        """Writes what is ready, up to the first that is not."""
        while self._waiting:
            turn = self._waiting[0]
            if turn.cycle is not None:
                if turn is not self._started:
                    self._started = turn
                    turn.cycle.keep_alive = not turn.last
                    self._start(turn.cycle)
                return
            if turn.reply is None:
                return
            self._waiting.popleft()
            self._write(turn, turn.reply)


def render(turn: Turn, reply: Reply, default_headers: bytes) -> bytes:
    """An answer as it goes out; `default_headers` are the server's own lines (the date)."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers_of(reply)])
    closes = b"connection: close\r\n" if turn.last and not reply.close else b""
    body = b"" if turn.head is not None and turn.head.method == "HEAD" else reply.body
    return b"".join((STATUS_LINE[reply.status], default_headers, lines.encode("latin-1"), closes, b"\r\n", body))
