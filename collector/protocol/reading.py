"""Bytes to whole requests: counted while they come, before anybody spends work on them. Time is the connection's."""

from collections.abc import Callable
from typing import Literal, NoReturn

import httptools

from base.reasons import Refusal
from base.values import Value
from collector.door.door import Door, Head, announces_too_much, lift
from collector.limits import REFUSED
from collector.protocol.target import read_target

Headers = list[tuple[bytes, bytes]]


class Request(Value, frozen=True):
    """`last`: the client wants no other answer on this connection."""

    head: Head
    body: bytes
    headers: Headers
    raw_path: bytes
    query: bytes
    version: Literal["1.0", "1.1"]
    last: bool


class _Stop(Exception):
    """Out of a callback and the parser: nothing more of this connection is read."""


class Reading:
    """`phase`: what is read now; whoever has heard enough sets it to `ended`. `steps` grows with every part of a
    request that is done. `expects`: the client holds its body back until it is told to go on."""

    def __init__(self, door: Door, peer: str, scheme: str, whole: Callable[[Request], None]) -> None:
        self.phase: Literal["idle", "head", "body", "ended"] = "idle"
        self.steps = 0
        self.expects = False
        self._door = door
        self._limits = door.limits
        self._peer = peer
        self._scheme = scheme
        self._whole = whole
        self._parser = httptools.HttpRequestParser(self)
        self._fault: Refusal | None = None
        self._pieces: list[bytes] = []
        self._held = 0  # bytes of a request that is not whole

    @property
    def head(self) -> Head | None:
        """Of the request whose body is coming."""
        return self._head if self.phase == "body" else None

    def feed(self, data: bytes) -> Refusal | None:
        """Why nothing more may be read."""
        steps = self.steps
        try:
            self._feed(data)
        except (httptools.HttpParserError, UnicodeDecodeError):
            if self.phase != "ended":  # else it is what came behind the last request
                return self._fault or Refusal.NOT_HTTP
        if self.phase == "head" and steps == self.steps:  # a header is told only once it has ended
            self._unfinished += len(data)
            if self._unfinished > self._limits.url_bytes + self._limits.header_bytes:
                return REFUSED["header_bytes"]
        return None if self.phase == "idle" and not self._held else self._hold()

    def end(self) -> None:
        """Nothing more is read, and what has come of a request is let go."""
        self.phase = "ended"
        self._pieces = []
        self._hold()

    def _hold(self) -> Refusal | None:
        """A request that comes in one piece is never counted."""
        held = self._head_bytes + self._unfinished + self._body_bytes if self.phase in ("head", "body") else 0
        more, self._held = held - self._held, held
        return None if self._door.arriving.hold(more) else REFUSED["arriving_bytes"]

    def _feed(self, data: bytes) -> None:
        """Java's client wishes for HTTP/2 with its first request. The parser takes the body for that protocol's, so
        such a request is read again without its wish."""
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        kept = [b"%s: %s\r\n" % pair for pair in self._headers if pair[0] not in (b"connection", b"upgrade")]
        version = self._parser.get_http_version().encode()
        return b"%s %s HTTP/%s\r\n%s\r\n" % (self._parser.get_method(), self._url, version, b"".join(kept))

    # The parser's callbacks, in their order.

    def on_message_begin(self) -> None:
        if self.phase == "ended":
            raise _Stop
        self.phase = "head"
        self.steps += 1
        self._url = b""
        self._headers: Headers = []
        self._pieces = []
        self._head_bytes = self._body_bytes = self._unfinished = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self._limits.url_bytes:
            self._stop(REFUSED["url_bytes"])

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase == "head":  # else it is a trailer, which nobody reads
            self._headers.append((name.lower(), value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > self._limits.header_bytes or len(self._headers) > self._limits.header_fields:
            self._stop(REFUSED["header_bytes"])

    def on_headers_complete(self) -> None:
        version, method = self._parser.get_http_version(), self._parser.get_method().decode("ascii")
        if version not in ("1.0", "1.1") or method == "CONNECT":
            self._stop(Refusal.NOT_HTTP)
        if self._parser.should_upgrade():
            return
        self._version: Literal["1.0", "1.1"] = "1.0" if version == "1.0" else "1.1"
        path, self._raw_path, self._query = read_target(self._url)
        query, lifted = self._query.decode("latin-1"), lift(self._headers)
        self._head = self._door.enter(method, path, query, lifted, peer=self._peer, scheme=self._scheme)
        self.phase = "body"
        self.steps += 1
        if announces_too_much(self._head):
            self._stop(REFUSED["body_bytes"])
        self.expects = version == "1.1" and lifted.get("expect", "").lower() == "100-continue"

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._head.limit:
            self._stop(REFUSED["body_bytes"])
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.phase == "head":  # it wishes for an upgrade
            return
        self.phase = "idle"
        self.steps += 1
        self.expects = False
        pieces, self._pieces = self._pieces, []  # a connection that rests holds no body
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        last = self._version == "1.0" or not self._parser.should_keep_alive()
        self._whole(Request(self._head, body, self._headers, self._raw_path, self._query, self._version, last))

    def _stop(self, reason: Refusal) -> NoReturn:
        self._fault = reason
        raise _Stop
