"""Requests written byte by byte to a real socket, and what comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp

from base.serving import HttpProtocol, Server, listen

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    closed: bool

    def json(self) -> Any:
        return orjson.loads(self.body)


@asynccontextmanager
async def served(app: ASGIApp, http: HttpProtocol | None = None) -> AsyncIterator[int]:
    """The port of a real server, as the collector runs it; with uvicorn's own protocol unless `http` is another."""
    ending, started = asyncio.Event(), asyncio.Event()
    with listen("127.0.0.1", 0, "test") as listening:
        port: int = listening.getsockname()[1]
        serving = asyncio.create_task(Server(app, 2, started.set, http).serve_until(ending, listening))
        async with asyncio.timeout(SECONDS):
            await started.wait()
        try:
            yield port
        finally:
            ending.set()
            await serving


def request(method: str, path: str, body: bytes = b"", /, **headers: str) -> bytes:
    """With a Content-Length; underscores in header names are dashes."""
    return _head(method, path, {"content_length": str(len(body)), **headers}) + body


def chunked(method: str, path: str, *chunks: bytes, **headers: str) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return _head(method, path, {"transfer_encoding": "chunked", **headers}) + body


def _head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    told = {"host": "collector.test", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in told.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


async def ask(port: int, raw: bytes) -> Answer:
    """One request on a connection of its own; `closed` tells whether the server ended it when it had answered."""
    async with asyncio.timeout(SECONDS), connection(port) as (reader, writer):
        writer.write(raw)
        answer = await read_answer(reader, head=raw.startswith(b"HEAD "))
        closes = answer.headers.get("connection") == "close"
        closed = closes and await reader.read() == b""
        return Answer(answer.status, answer.headers, answer.body, closed)


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = 0 if head else int(headers.get("content-length", "0"))
    return Answer(int(first.split()[1]), headers, await reader.readexactly(size), closed=False)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
