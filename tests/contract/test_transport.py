"""One suite over the ways out: in memory, httpx, lean. The last two against a server of this test's own."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from forwarder.errors import ReplyTooLarge, TimedOut, TransportError, Unreachable
from forwarder.transport import MemoryTransport, Reply, Request, Transport
from forwarder.transport.httpx import HttpxTransport
from forwarder.transport.lean import LeanTransport

pytestmark = pytest.mark.anyio

LIMIT = 64 * 1024
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REAL: dict[str, Callable[[], Transport]] = {
    "httpx": lambda: HttpxTransport(4, LIMIT),
    "lean": lambda: LeanTransport(4, LIMIT),
}


@pytest.fixture(params=["httpx", "lean"])
async def real(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    transport = REAL[request.param]()
    yield transport
    await transport.close()


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(once, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listening.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return head + (await reader.readexactly(int(sizes[0])) if sizes else b"")


def answering(reply: bytes, seen: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(reply)
        await writer.drain()

    return serve


def whole(body: bytes, head: str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n") -> bytes:
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.mark.parametrize("kind", ["memory", *REAL])
async def test_a_request_goes_out_as_it_is_and_its_reply_comes_back(kind: str) -> None:
    request = Request("PUT", "/a%2Fb?x=%C3%A9+1", {"X-Event-Id": "e1", "Content-Type": "text/x"}, b"a=1&b=%20")
    if kind == "memory":
        transport: Transport = MemoryTransport(lambda _: Reply(201, {"x-answer": "yes"}, b"{}"))
        assert await transport.send(request, 5) == Reply(201, {"x-answer": "yes"}, b"{}")
        return
    seen: list[bytes] = []
    async with server(answering(whole(b"{}", "HTTP/1.1 201 Created\r\nX-Answer: yes\r\n"), seen)) as url:
        transport = REAL[kind]()
        sent = Request(request.method, url + request.url, request.headers, request.body)
        reply = await transport.send(sent, 5)
        await transport.close()
    assert (reply.status, reply.headers["x-answer"], reply.body) == (201, "yes", b"{}")
    assert seen[0].startswith(b"PUT /a%2Fb?x=%C3%A9+1 HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\na=1&b=%20")
    lines = {line.lower() for line in seen[0].split(b"\r\n")}
    assert {b"x-event-id: e1", b"content-type: text/x"} <= lines


@pytest.mark.parametrize("kind", ["memory", *REAL])
async def test_nobody_there_is_unreachable(kind: str) -> None:
    async with server(answering(b"", [])) as url:
        pass
    transport: Transport = MemoryTransport(lambda _: None) if kind == "memory" else REAL[kind]()
    with pytest.raises(Unreachable):
        await transport.send(Request("POST", url, {}, b"x"), 5)
    await transport.close()


async def test_a_redirect_is_a_reply_and_nothing_more(real: Transport) -> None:
    seen: list[bytes] = []
    async with server(answering(whole(b"", "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"), seen)) as url:
        reply = await real.send(Request("POST", url, {}, b"x"), 5)
    assert reply.status == 302
    assert len(seen) == 1


async def test_proxies_of_the_environment_are_not_asked(real: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")
    async with server(answering(whole(b"{}"), [])) as url:
        assert (await real.send(Request("POST", url, {}, b"x"), 5)).status == 200


async def test_who_hangs_or_drips_is_late_in_total(real: Transport) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with server(drip) as url:
        with pytest.raises(TimedOut):
            await real.send(Request("POST", url, {}, b"x"), 0.5)


@pytest.mark.parametrize("packed", [False, True])
async def test_a_reply_past_the_limit_is_refused_also_when_it_is_packed(real: Transport, packed: bool) -> None:
    body = b"x" * (LIMIT + 1)
    reply = whole(body)
    if packed:
        reply = whole(gzip.compress(b"x" * 20_000_000), "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
    async with server(answering(reply, [])) as url:
        with pytest.raises(ReplyTooLarge):
            await real.send(Request("POST", url, {}, b"x"), 5)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\xff\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        whole(b"not gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
    ],
)
async def test_garbage_is_a_transport_error_and_the_next_call_is_served(real: Transport, garbage: bytes) -> None:
    async with server(answering(garbage, [])) as url:
        with pytest.raises(TransportError):
            await real.send(Request("POST", url, {}, b"x"), 5)
    async with server(answering(whole(b"{}"), [])) as url:
        assert (await real.send(Request("POST", url, {}, b"x"), 5)).body == b"{}"


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"])
async def test_an_address_that_is_none_is_unreachable(real: Transport, url: str) -> None:
    with pytest.raises(Unreachable):
        await real.send(Request("POST", url, {}, b"x"), 5)


async def test_a_cancelled_call_costs_no_connection(real: Transport) -> None:
    """More are cancelled than there are connections, and the pool still serves."""

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(30)

    async with server(hang) as url:
        for _ in range(3):
            calls = [asyncio.create_task(real.send(Request("POST", url, {}, b"x"), 20)) for _ in range(6)]
            await asyncio.sleep(0.05)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
    async with server(answering(whole(b"{}"), [])) as url:
        assert (await real.send(Request("POST", url, {}, b"x"), 5)).status == 200
