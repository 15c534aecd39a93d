"""Content-Encoding: gzip, and no bomb."""

import zlib

from base.reasons import Refusal
from collector.decode.limits import BodyLimits
from collector.errors import Refused
from collector.limits import REFUSED

_GZIP = 16 + zlib.MAX_WBITS


def unpack(encoding: str, body: bytes, limits: BodyLimits) -> bytes:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise Refused(Refusal.UNSUPPORTED_MEDIA, "the only Content-Encoding that is taken is gzip")
    return gunzip(body, min(limits.gunzipped, limits.ratio * len(body)))


def gunzip(body: bytes, limit: int) -> bytes:
    """All members of the stream. Refused: beyond `limit` bytes 413; torn or no gzip 400."""
    pieces: list[bytes] = []
    left = limit
    while True:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(body, left + 1)
        except zlib.error as error:
            raise Refused(Refusal.UNREADABLE_BODY, "the body is not the gzip that its header says") from error
        left -= len(piece)
        if left < 0:
            raise Refused(REFUSED["gunzipped_bytes"], "the body unzips to more than is taken")
        if not member.eof:
            raise Refused(Refusal.UNREADABLE_BODY, "the gzip body ends too early")
        pieces.append(piece)
        body = member.unused_data
        if not body:
            return b"".join(pieces)
