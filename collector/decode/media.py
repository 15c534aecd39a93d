"""The Content-Type header."""

import codecs
from dataclasses import dataclass
from typing import Final, Literal

from python_multipart.multipart import parse_options_header

from base.reasons import Refusal
from collector.errors import Refused


@dataclass(frozen=True, slots=True)
class Media:
    """`text` holds JSON or a form: its first character tells (sendBeacon sends both as text/plain, or as nothing)."""

    kind: Literal["form", "json", "text", "multipart"]
    charset: str = "utf-8"
    boundary: bytes = b""


_FORM: Final = Media("form")
_JSON: Final = Media("json")
_TEXT: Final = Media("text")
_PLAIN: Final = {
    None: _TEXT,
    "": _TEXT,
    "application/x-www-form-urlencoded": _FORM,
    "application/json": _JSON,
    "text/json": _JSON,
    "text/plain": _TEXT,
}
# Only what browsers and phones write. Python knows charsets whose decoding takes quadratic time.
_CHARSETS: Final = frozenset(
    {"utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be", "iso8859-1", "iso8859-2", "iso8859-15", "cp1250", "cp1252"}
)


def read_media(content_type: str | None) -> Media:
    """Refused with 415 for any other type, and for a charset that is not listed."""
    known = _PLAIN.get(content_type)
    return known if known is not None else _read(content_type or "")


def _read(content_type: str) -> Media:
    essence, options = parse_options_header(content_type)
    name = essence.decode("latin-1").strip().lower()
    charset = _charset(options.get(b"charset", b"").decode("latin-1"))
    if name == "multipart/form-data":
        return Media("multipart", charset, options.get(b"boundary", b""))
    if name.startswith("application/") and name.endswith("+json"):
        name = "application/json"
    plain = _PLAIN.get(name)
    if plain is None:
        raise Refused(Refusal.UNSUPPORTED_MEDIA)
    return Media(plain.kind, charset)


def _charset(name: str) -> str:
    if not name:
        return "utf-8"
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise Refused(Refusal.UNSUPPORTED_MEDIA, f"charset {name[:40]!r} is not known: send UTF-8") from error
    if found not in _CHARSETS:
        raise Refused(Refusal.UNSUPPORTED_MEDIA, f"charset {name[:40]!r} is not taken: send UTF-8")
    return found
