"""A request's body off the wire: counted while it comes, never held beyond its limit."""

from starlette.types import Receive

from base.errors import OchnError


class BodyTooLarge(OchnError):
    pass


class ClientGone(OchnError):
    """The connection ended before its request did: nobody is left to answer."""


async def read_body(receive: Receive, declared: str | None, limit: int) -> bytes:
    """`declared` is Content-Length as it came. BodyTooLarge as soon as that or the count passes `limit` bytes."""
    if declared is not None and (not declared.isdecimal() or int(declared[:20]) > limit):
        raise BodyTooLarge(f"{declared[:20]} bytes were announced")
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BodyTooLarge(f"{size} bytes have come")
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def discard(receive: Receive, limit: int) -> None:
    """Reads on, up to `limit` bytes: a connection closed on unread bytes is reset, and its answer with it."""
    size = 0
    while size <= limit:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return
