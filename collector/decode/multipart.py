"""multipart/form-data, in memory: the body's limit is the limit."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header

from base.forms import FormError, FormLimits
from base.reasons import Refusal
from collector.errors import Refused


@dataclass(frozen=True, slots=True)
class Part:
    """`filename` None: a field; else a file of media `type`."""

    name: bytes
    value: bytes
    filename: bytes | None = None
    type: str = ""


def read_parts(body: bytes, boundary: bytes) -> list[Part]:
    """Refused with 400 for what its boundary does not open and close. A part without a name is nobody's: passed over."""
    _, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if not boundary or not pieces or not pieces.pop().startswith(b"--"):
        raise Refused(Refusal.UNREADABLE_BODY, "the multipart body can't be read by its boundary")
    return [part for part in map(_part, pieces) if part is not None]


def _part(piece: bytes) -> Part | None:
    head, _, value = piece.partition(b"\r\n\r\n")
    headers = {}
    for line in head.split(b"\r\n"):
        name, _, text = line.partition(b":")
        headers[name.strip().lower()] = text.strip()
    _, options = parse_options_header(headers.get(b"content-disposition", b""))
    if b"name" not in options:
        return None
    media = headers.get(b"content-type", b"").decode("latin-1")
    return Part(options[b"name"], value, options.get(b"filename"), media)


def to_pairs(parts: Sequence[Part], limits: FormLimits, charset: str) -> list[tuple[str, Any]]:
    """A file is {"name", "type", "data"}, its bytes in base64, as pages send theirs. FormError past a limit."""
    if len(parts) > limits.pairs:
        raise FormError("pairs")
    return [_pair(part, limits, charset) for part in parts]


def _pair(part: Part, limits: FormLimits, charset: str) -> tuple[str, Any]:
    if len(part.name) > limits.key_bytes or len(part.filename or b"") > limits.key_bytes:
        raise FormError("key_bytes")
    if len(part.value) > limits.value_bytes:
        raise FormError("value_bytes")
    name = _text(part.name, charset)
    if part.filename is None:
        return name, _text(part.value, charset)
    data = base64.b64encode(part.value).decode()
    return name, {"name": _text(part.filename, charset), "type": part.type, "data": data}


def _text(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        raise FormError("charset") from error
