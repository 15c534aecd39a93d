"""The lean transport where it is on its own: how a reply ends, what may follow it, what a request may hold."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trustme

from forwarder.errors import TransportError, Unreachable
from forwarder.transport import Reply, Request
from forwarder.transport.lean import LeanTransport

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Server:
    """Answers each request of a connection with the next of `replies`; None hangs up, as END does."""

    replies: list[bytes | None]
    url: str = ""
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\nx"))
                reply = self.replies.pop(0) if self.replies else OK
                if reply is None:
                    break
                for piece in reply.split(b"|"):
                    if piece == b"END":
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*replies: bytes | None) -> AsyncIterator[tuple[Server, LeanTransport]]:
    server, transport = Server(list(replies)), LeanTransport(2)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    try:
        yield server, transport
    finally:
        await transport.close()
        listening.close()


async def post(server: Server, transport: LeanTransport, **headers: str) -> Reply:
    return await transport.send(Request("POST", server.url, headers, b"x"), 10)


async def test_a_connection_serves_again_and_again() -> None:
    async with serving() as (server, transport):
        for _ in range(5):
            assert (await post(server, transport)).body == b"{}"
        assert server.connections == 1


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{|\r\n1\r\n}\r\n|0\r\n\r\n", b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n|HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n|" + OK, b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTT|P/1.1 2|00 OK\r\nContent-|Length: 2\r\n\r|\n{|}", b"{}"),
    ],
)
async def test_each_way_of_ending_a_reply_leaves_the_connection_usable(reply: bytes, body: bytes) -> None:
    async with serving(reply) as (server, transport):
        assert (await post(server, transport)).body == body
        assert (await post(server, transport)).body == b"{}"
        assert server.connections == 1


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    """One with a length does not."""
    for head, whole in ((b"", True), (b"Content-Length: 99\r\n", False)):
        async with serving(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nall |of it|END") as (server, transport):
            answers = await asyncio.gather(post(server, transport), return_exceptions=True)
            assert [isinstance(answer, Reply) and answer.body == b"all of it" for answer in answers] == [whole]


@pytest.mark.parametrize("second", [b"", b"|"])
async def test_a_reply_that_nobody_asked_for_is_nobodys(second: bytes) -> None:
    """Else it would be the next call's, of another visitor."""
    stray = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"mine":0}'[:-1]
    async with serving(OK + second + stray) as (server, transport):
        first = await asyncio.gather(post(server, transport), return_exceptions=True)
        assert isinstance(first[0], TransportError) or first[0].body == b"{}"  # type: ignore[union-attr]
        await asyncio.sleep(0.5)  # what is on its way as the next call goes out, no client can tell apart
        assert (await post(server, transport)).body == b"{}"
        assert server.connections == 2


async def test_a_connection_that_was_closed_while_it_rested_is_not_used() -> None:
    async with serving() as (server, transport):
        await post(server, transport)
        server.replies.append(None)
        with pytest.raises(Unreachable):
            await post(server, transport)
        assert (await post(server, transport)).body == b"{}"
        assert server.connections == 2


@pytest.mark.parametrize("value", ["a\r\nx-admin: 1", "a\nb", "a\rb", "é"])
async def test_a_header_can_not_break_its_line(value: str) -> None:
    async with serving() as (server, transport):
        with pytest.raises(Unreachable):
            await post(server, transport, agent=value)
        assert server.heads == []


async def test_who_can_not_prove_to_be_whom_the_address_names_gets_nothing() -> None:
    ca = trustme.CA()
    ours, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("localhost").configure_cert(ours)
    ca.configure_trust(trusting)
    server = Server([])
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=ours)
    port = listening.sockets[0].getsockname()[1]
    for host, tls, served in (
        ("localhost", trusting, True),
        ("127.0.0.1", trusting, False),
        ("localhost", None, False),
    ):
        transport = LeanTransport(2, tls=tls)
        sent = Request("POST", f"https://{host}:{port}/", {}, b"x")
        answers = await asyncio.gather(transport.send(sent, 10), return_exceptions=True)
        assert [isinstance(answer, Reply) for answer in answers] == [served]
        await transport.close()
    listening.close()
    assert len(server.heads) == 1
