"""The form codec: PHP-style brackets to nested values and back.

`a[b][0]=x` is {"a": {"b": ["x"]}}. Source: the vendor's "Web Data Tracking" samples, and PHP's own reading of names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from base.errors import OchnError

Pairs = Iterable[tuple[str, str]]


class FormError(OchnError):
    """`limit` is the name of the FormLimits field that was passed, or `charset`."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"form passes its limit: {limit}")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class FormLimits:
    """Counts, and sizes in UTF-8 bytes (faults.md, "Limits")."""

    pairs: int = 1_000
    key_bytes: int = 256
    value_bytes: int = 16_384
    levels: int = 5
    index: int = 99


def split_pairs(body: bytes, limits: FormLimits, charset: str = "utf-8") -> list[tuple[str, str]]:
    """Percent-decoded (name, value) in order of arrival; FormError past a limit or outside the charset."""
    if not body:
        return []
    pieces = body.split(b"&")
    if len(pieces) > limits.pairs:
        raise FormError("pairs")
    pairs = []
    for piece in pieces:
        if not piece:
            continue
        name, _, value = piece.replace(b"+", b" ").partition(b"=")
        name, value = unquote_to_bytes(name), unquote_to_bytes(value)
        if len(name) > limits.key_bytes:
            raise FormError("key_bytes")
        if len(value) > limits.value_bytes:
            raise FormError("value_bytes")
        try:
            pairs.append((name.decode(charset), value.decode(charset)))
        except (UnicodeDecodeError, LookupError) as error:
            raise FormError("charset") from error
    return pairs


def nest(pairs: Pairs, limits: FormLimits) -> dict[str, Any]:
    """Nested dicts, lists and values; a later pair wins over an earlier one of the same name, as in PHP."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        path = split_name(name)
        if len(path) - 1 > limits.levels:
            raise FormError("levels")
        node = root
        for part in path[:-1]:
            step = _index(part, node, limits)
            if not isinstance(node.get(step), dict):
                node[step] = {}
            node = node[step]
        node[_index(path[-1], node, limits)] = value
    return {name: _lists(value) for name, value in root.items()}


def split_name(name: str) -> list[str]:
    """`a[b][]` -> ["a", "b", ""]; a name whose brackets do not match is itself, whole."""
    head, bracket, rest = name.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return [name]
    return [head, *rest[:-1].split("][")]


def _index(step: str, node: dict[str, Any], limits: FormLimits) -> str:
    if step == "":
        step = str(len(node))
    if step.isascii() and step.isdigit() and int(step[:9]) > limits.index:
        raise FormError("index")
    return step


def _lists(value: Any) -> Any:
    """A dict whose names are all indexes is a list, in order of its indexes."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(item) for name, item in value.items()}
    if inner and all(name.isascii() and name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """Brackets again: None and empty containers are left out, booleans are the vendor's "true" and "false"."""
    return "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in flatten(fields)).encode()


def flatten(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        yield from _flatten(str(name), value)


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(f"{name}[{key}]", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _flatten(f"{name}[{index}]", item)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    else:
        yield name, str(value)
