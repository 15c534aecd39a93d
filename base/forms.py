"""The form codec: PHP-style brackets to nested values and back.

`a[b][0]=x` is {"a": {"b": ["x"]}}. Source: the vendor's "Web Data Tracking" samples, and PHP's own reading of names.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

from base.errors import OchnError

_SHORT: Final = 256  # what is longer is not kept: it may be as long as a body
Pairs = Iterable[tuple[str, Any]]


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
    if body.count(b"&") >= limits.pairs:
        raise FormError("pairs")
    pairs = []
    for name, value in raw_pairs(body):
        if len(name) > limits.key_bytes:
            raise FormError("key_bytes")
        if len(value) > limits.value_bytes:
            raise FormError("value_bytes")
        try:
            pairs.append((name.decode(charset), value.decode(charset)))
        except (UnicodeDecodeError, LookupError) as error:
            raise FormError("charset") from error
    return pairs


def raw_pairs(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Percent-decoded, in no charset yet."""
    for piece in body.replace(b"+", b" ").split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            yield (
                _read_name(name) if len(name) <= _SHORT else unquote_to_bytes(name),
                unquote_to_bytes(value) if b"%" in value else value,
            )


@lru_cache(maxsize=1024)
def _read_name(name: bytes) -> bytes:
    """Kept, as pages send the same few names."""
    return unquote_to_bytes(name)


def nest(pairs: Pairs, limits: FormLimits) -> dict[str, Any]:
    """Nested dicts, lists and values; a later pair wins over an earlier one of the same name, as in PHP."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        if "[" not in name:
            root[name] = value
            continue
        head, *steps = _split_name(name)
        if len(steps) > limits.levels:
            raise FormError("levels")
        node, last = root, head
        for step in steps:
            node = _branch(node, last)
            last = step if step > ":" else _index(step, node, limits)  # past the digits: a name
        node[last] = value
    return {name: _lists(value) if type(value) is _Branch else value for name, value in root.items()}


class _Branch(dict[str, Any]):
    """A dict that brackets made, so that a value which is itself a dict (a file) is never taken for one."""


def _branch(node: dict[str, Any], name: str) -> _Branch:
    inner = node.get(name)
    if type(inner) is not _Branch:
        inner = node[name] = _Branch()
    return inner


def split_name(name: str) -> tuple[str, ...]:
    """`a[b][]` -> ("a", "b", ""); a name whose brackets do not match is itself, whole."""
    head, bracket, rest = name.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return (name,)
    return head, *rest[:-1].split("][")


_split_name = lru_cache(maxsize=1024)(split_name)


def _index(step: str, node: _Branch, limits: FormLimits) -> str:
    """An empty step is one past the largest index so far, as in PHP: it never lands on a value that is there."""
    if step == "":
        step = str(max((int(name) for name in node if _is_index(name)), default=-1) + 1)
    if _is_index(step) and int(step) > limits.index:
        raise FormError("index")
    return step


def _is_index(name: str) -> bool:
    return name.isdigit() and name.isascii()


def _lists(branch: _Branch) -> dict[str, Any] | list[Any]:
    """A branch whose names are all indexes is a list, in order of its indexes."""
    inner = {name: _lists(item) if type(item) is _Branch else item for name, item in branch.items()}
    if all(map(_is_index, inner)):
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
