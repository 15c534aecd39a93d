"""Calls by a client of our own, HTTP/1.1 over httptools: where each event is a call, so that a call must cost little.

No more than the seam asks for: a pool of connections, TLS that is verified, a reply that is whole. Retries, redirects,
cookies, proxies and HTTP/2 are not left out for lack of time: nobody here wants them (docs/decisions/0006-forwarder-speed.md).
"""

import asyncio
import ssl
import time
from collections import defaultdict
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forwarder.errors import TransportError, Unreachable
from forwarder.transport import IDLE_SECONDS, REPLY_LIMIT, Reply, Request, within
from forwarder.transport.lean_connection import Connection

_PORTS: Final = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """`netloc` is what the Host header says."""

    secure: bool
    host: str
    port: int
    netloc: str


class LeanTransport:
    """Made on the running loop. Idle connections beyond `connections` are not kept: who calls bounds how many there are
    at once."""

    def __init__(self, connections: int, reply_limit: int = REPLY_LIMIT, tls: ssl.SSLContext | None = None) -> None:
        self._kept = connections
        self._reply_limit = reply_limit
        self._tls = tls or ssl.create_default_context()
        self._idle: defaultdict[Origin, list[tuple[Connection, float]]] = defaultdict(list)
        self._busy: set[Connection] = set()

    async def send(self, request: Request, deadline: float) -> Reply:
        began = time.monotonic()
        origin, target = _address(request.url)
        message = _message(request, origin, target)
        connection = self._rested(origin)
        if connection is None:
            connection = await within(deadline, self._connect(origin))
        self._busy.add(connection)
        try:
            return await connection.exchange(message, deadline - (time.monotonic() - began))
        except TransportError:
            raise
        except Exception as error:  # what a loop's socket raises when it is written to
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        finally:  # cancelled, too: what comes late must not be the next call's answer
            self._busy.discard(connection)
            if connection.reusable and len(self._idle[origin]) < self._kept:
                self._idle[origin].append((connection, time.monotonic()))
            else:
                connection.abort()

    def _rested(self, origin: Origin) -> Connection | None:
        """The one that rested least; older ones may be about to be closed by the other side."""
        idle = self._idle[origin]
        while idle:
            connection, since = idle.pop()
            if connection.reusable and time.monotonic() - since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls if origin.secure else None
        _, connection = await loop.create_connection(
            lambda: Connection(self._reply_limit), origin.host, origin.port, ssl=tls
        )
        return connection

    async def close(self) -> None:
        for connection in (*self._busy, *(one for idle in self._idle.values() for one, _ in idle)):
            connection.abort()
        self._idle.clear()


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[Origin, str]:
    """Unreachable for what is none. The target goes out as it is spelled."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError) as error:
        raise Unreachable(f"no address: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise Unreachable("no address: expected http(s)://host")
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port is None else f"{shown}:{port}"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme == "https", host, port or _PORTS[parts.scheme], netloc), target


def _message(request: Request, origin: Origin, target: str) -> bytes:
    """Unreachable when a header would break its line."""
    lines = [
        f"{request.method} {target} HTTP/1.1",
        f"Host: {origin.netloc}",
        "Accept: */*",
        "Accept-Encoding: identity",
    ]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    lines += [f"Content-Length: {len(request.body)}", "\r\n"]
    head = "\r\n".join(lines)
    if not head.isascii() or not head.count("\r") == head.count("\n") == len(lines):
        raise Unreachable("a header or the address holds what can't stand there")
    return head.encode() + request.body
