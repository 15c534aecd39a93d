"""A request's body off the wire: counted while it comes, never held beyond its limit."""

import asyncio
import contextlib
from typing import Final

from starlette.types import Receive

from collector.errors import BodyTooLarge, ClientGone

LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16 * 1024 * 1024


class Incoming:
    """One request's body. `ended`: all of it has been read, or nothing more of it is to be."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def read(self, limit: int) -> bytes:
        """BodyTooLarge as soon as the count passes `limit` bytes."""
        pieces, size = [], 0
        while not self.ended:
            pieces.append(await self._next())
            size += len(pieces[-1])
            if size > limit:
                raise BodyTooLarge(f"{size} bytes have come")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def linger(self) -> None:
        """Reads on for a while what nobody wants: closed on unread bytes, a connection is reset and its answer lost."""
        size = 0
        with contextlib.suppress(TimeoutError, ClientGone):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self.ended and size <= LINGER_BYTES:
                    size += len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.ended = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body
