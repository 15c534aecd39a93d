"""The one way out: a request, a reply. No redirects, no proxies of the environment, a total deadline, a reply limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

from msgspec import field

from base.values import Value
from forwarder.errors import TimedOut, TransportError, Unreachable

T = TypeVar("T")
REPLY_LIMIT = 1024 * 1024  # bytes of a reply's body
IDLE_SECONDS = 30.0  # below what servers and balancers grant, so that we rarely write into a closing connection


class Request(Value, frozen=True):
    """As it goes on the wire, secrets included: only base.masking may show it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Reply(Value, frozen=True):
    """Header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Transport(Protocol):
    async def send(self, request: Request, deadline: float) -> Reply:
        """`deadline` in seconds, from connecting to the last byte. TransportError and nothing else."""
        ...

    async def close(self) -> None: ...


async def within(deadline: float, doing: Awaitable[T]) -> T:
    """A client's call, or a step of it, under the deadline; whatever it raises told as a TransportError."""
    try:
        async with asyncio.timeout(deadline):
            return await doing
    except TimeoutError as error:
        raise TimedOut(f"no whole reply within {deadline:g} s") from error
    except TransportError:
        raise
    except Exception as error:  # also what the client should have caught: there is no reply either way
        raise Unreachable(f"{type(error).__name__}: {error}") from error


class MemoryTransport:
    """Answers from a function; keeps every request. Ships for tests and `explain`."""

    def __init__(self, answer: Callable[[Request], Reply | None]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request, deadline: float) -> Reply:  # noqa: ARG002 - memory is never late
        self.requests.append(request)
        reply = self._answer(request)
        if reply is None:
            raise Unreachable(f"nobody answers at {request.url}")
        return reply

    async def close(self) -> None:
        return None
