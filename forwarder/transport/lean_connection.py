"""One connection of the lean transport: a message out, a whole reply in, and again."""

import asyncio
import zlib
from typing import Final, cast

import httptools

from forwarder.errors import ReplyTooLarge, TimedOut, TransportError, Unreachable
from forwarder.transport import Reply

_HEAD_LIMIT: Final = 64 * 1024  # bytes that come before a reply's body
_UNPACKED: Final = frozenset({"", "identity"})
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER: Final = 32 + zlib.MAX_WBITS  # zlib finds out which of the two it is


class Connection(asyncio.Protocol):
    """`reusable`: open, and nothing is under way."""

    def __init__(self, reply_limit: int) -> None:
        self.reusable = False
        self._limit = reply_limit
        self._waiting: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._begin()

    def _begin(self) -> None:
        self._head_size = self._size = 0
        self._whole_head = self._measured = False
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    async def exchange(self, message: bytes, seconds: float) -> Reply:
        """The reply, if it is whole in time. By a timer of the loop's: an `asyncio.timeout` takes a quarter of a call."""
        self.reusable = False
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(seconds, self._late, seconds)
        try:
            self._transport.write(message)
            return await self._waiting
        finally:
            timer.cancel()

    def _late(self, seconds: float) -> None:
        self._fail(TimedOut(f"no whole reply within {seconds:.3g} s"))

    def abort(self) -> None:
        self.reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.reusable = False
        if self._whole_head and not self._measured and error is None:
            self._end()  # a body without a length ends with its connection
        else:
            self._fail(Unreachable(f"connection lost: {error or 'closed by the other side'}"))

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.abort()  # nobody asked
            return
        if not self._whole_head:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(Unreachable("the other side would rather speak another protocol"))
        except httptools.HttpParserError as error:
            self._fail(Unreachable(f"no HTTP reply: {error}"))
        if not self._whole_head and self._head_size > _HEAD_LIMIT:
            self._fail(ReplyTooLarge(f"more than {_HEAD_LIMIT} bytes of headers"))

    def on_message_begin(self) -> None:
        if self._waiting is None or self._waiting.done():
            self._fail(Unreachable("a reply that nobody asked for"))  # it must not become the next call's

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._whole_head = self._parser.get_status_code() >= 200
        self._measured = "content-length" in self._headers or "transfer-encoding" in self._headers

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._size += len(body)
        if self._size > self._limit:
            self._fail(self._too_large())

    def on_message_complete(self) -> None:
        if not self._whole_head:  # 100 Continue and its like: the reply is still to come
            self._begin()
            return
        self.reusable = self._parser.should_keep_alive()
        self._end()

    def _end(self) -> None:
        reply, self._body = b"".join(self._body), []
        try:
            unpacked = self._unpacked(reply)
        except TransportError as error:
            self._fail(error)
            return
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Reply(self._parser.get_status_code(), self._headers, unpacked))
        self._begin()

    def _unpacked(self, body: bytes) -> bytes:
        """We ask for no packing; some pack all the same."""
        coding = self._headers.get("content-encoding", "").strip().lower()
        if coding in _UNPACKED:
            return body
        if coding not in _PACKED:
            raise Unreachable(f"a reply packed as {coding}")
        try:
            unpacked = zlib.decompressobj(_EITHER).decompress(body, self._limit + 1)
        except zlib.error as error:
            raise Unreachable(f"a reply that is not {coding}: {error}") from error
        if len(unpacked) > self._limit:
            raise self._too_large()
        return unpacked

    def _too_large(self) -> ReplyTooLarge:
        return ReplyTooLarge(f"a reply of more than {self._limit} bytes (status {self._parser.get_status_code()})")

    def _fail(self, error: TransportError) -> None:
        self.reusable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self._transport.abort()
