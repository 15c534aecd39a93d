"""One body: which media it is, unzipped, read by that media's reader."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from base.forms import FormError, FormLimits, nest, read_form
from base.reasons import Quarantine
from collector.decode.decoded import Decoded
from collector.decode.gunzip import unpack
from collector.decode.json_body import read_json
from collector.decode.limits import BodyLimits
from collector.decode.media import read_media
from collector.decode.multipart import read_parts, to_pairs
from collector.decode.salvage import salvage_pairs, salvage_query
from collector.limits import HELD_BACK

_BOM: Final = b"\xef\xbb\xbf"
_FORM_FAULTS: Final = {
    "charset": Quarantine.BAD_TEXT,
    **{each.name: HELD_BACK[f"form_{each.name}"] for each in fields(FormLimits)},
}


def decode(headers: Mapping[str, str], body: bytes, limits: BodyLimits) -> Decoded:
    """Refused: the media is none of ours (415), the bytes can't be read (400), they unzip to too many (413).

    A body that can be read but not kept as fields is Decoded with `faults`, never refused.
    """
    media = read_media(headers.get("content-type"))
    encoding = headers.get("content-encoding")
    if encoding is not None:
        body = unpack(encoding, body, limits)
    if media.kind == "form":
        return _read_form(body, media.charset, limits)
    if media.kind == "multipart":
        return _read_multipart(body, media.boundary, media.charset, limits)
    body = body.removeprefix(_BOM)
    if media.kind == "json" or body.lstrip()[:1] in (b"{", b"["):
        return read_json(body, media.charset, limits)
    return _read_form(body.strip(), media.charset, limits)


def _read_form(body: bytes, charset: str, limits: BodyLimits) -> Decoded:
    try:
        return Decoded(read_form(body, limits.form, charset), body)
    except FormError as error:
        return Decoded(salvage_query(body), body, (_FORM_FAULTS[error.limit],))


def _read_multipart(body: bytes, boundary: bytes, charset: str, limits: BodyLimits) -> Decoded:
    parts = read_parts(body, boundary)
    try:
        return Decoded(nest(to_pairs(parts, limits.form, charset), limits.form), body)
    except FormError as error:
        return Decoded(salvage_pairs((part.name, part.value) for part in parts), body, (_FORM_FAULTS[error.limit],))
