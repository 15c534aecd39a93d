"""The form codec: PHP-style brackets to nested values and back.

`a[b][0]=x` is {"a": {"b": ["x"]}}. Source: the vendor's "Web Data Tracking" samples, and PHP's own reading of names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

from base.errors import OchnError

_SHORT: Final = 256  # what is longer is not kept: it may be as long as a body
_USUAL: Final = 8_192  # bytes of a form; of a larger one nothing is kept
_ASCII: Final = {pattern % code: chr(code) for code in range(128) for pattern in ("%02x", "%02X")}
Pairs = Sequence[tuple[str, Any]]


class FormError(OchnError):
    """`limit` is the name of the FormLimits field that was passed, or `charset`."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"form passes its limit: {limit}")
        self.limit = limit


@dataclass(frozen=True, slots=True, eq=False)
class FormLimits:
    """Counts, and sizes in UTF-8 bytes (faults.md, "Limits"). One is equal to itself: shapes are kept by it."""

    pairs: int = 1_000
    key_bytes: int = 256
    value_bytes: int = 16_384
    levels: int = 5
    index: int = 99


def read_form(body: bytes, limits: FormLimits, charset: str = "utf-8") -> dict[str, Any]:
    """What `nest` makes of what `split_pairs` finds; FormError as they raise it."""
    if charset == "utf-8" and len(body) <= min(limits.value_bytes, _USUAL) and body.isascii():
        try:
            return _read_usual(body.decode("ascii").replace("+", " "), limits)
        except FormError:
            pass  # the plain way knows what came first
    return nest(split_pairs(body, limits, charset), limits)


def _read_usual(text: str, limits: FormLimits) -> dict[str, Any]:
    """All but the first name keep their `&`. So many pieces there are, and names with it, when each pair has one `=`."""
    pieces = text.replace("&", "=&").split("=")
    if len(pieces) != 2 * text.count("&") + 2:
        raise FormError("pairs")
    form = _form_of(tuple(pieces[::2]), limits)
    return form.filled([_unquote(value) if "%" in value else value for value in pieces[1::2]])


@lru_cache(maxsize=256)
def _form_of(names: tuple[str, ...], limits: FormLimits) -> "_Form":
    """Kept, as pages send the same few names in the same order; as `_read_usual` cuts them."""
    if not all(name.startswith("&") for name in names[1:]) or len(names) > limits.pairs:
        raise FormError("pairs")
    read = [_unquote(name.removeprefix("&")) for name in names]
    if any(not name or len(name.encode()) > limits.key_bytes for name in read):
        raise FormError("key_bytes")
    return _Form(read, limits)


def _unquote(text: str) -> str:
    return _unquoted_before(text) if len(text) <= _SHORT else _unquoted(text)


def _unquoted(text: str) -> str:
    first, *escaped = text.split("%")
    try:
        return first + "".join([_ASCII[piece[:2]] + piece[2:] for piece in escaped])
    except KeyError:  # beyond ASCII, or no escape
        return _unquote_slowly(text)


_unquoted_before = lru_cache(maxsize=4096)(_unquoted)


def _unquote_slowly(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise FormError("charset") from error


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
            yield unquote_to_bytes(name), unquote_to_bytes(value)


def nest(pairs: Pairs, limits: FormLimits) -> dict[str, Any]:
    """Nested dicts, lists and values; a later pair wins over an earlier one of the same name, as in PHP."""
    names: tuple[str, ...]
    names, values = zip(*pairs, strict=True) if pairs else ((), ())
    return _Form(names, limits).filled(list(values))


class _Form:
    """A nesting that is filled in again and again: part for part, the innermost first, and none of them by a call."""

    def __init__(self, names: Sequence[str], limits: FormLimits) -> None:
        self._size = len(names)
        self._parts: list[tuple[Any, list[tuple[Any, int]]]] = []  # to be copied; and what its places hold
        self._add(_shape(names, limits))

    def filled(self, values: list[Any]) -> dict[str, Any]:
        """`values` in the names' order; the parts are put behind them."""
        for part, places in self._parts:
            filled = part.copy()
            for name, place in places:
                filled[name] = values[place]
            values.append(filled)
        root: dict[str, Any] = values[-1]
        return root

    def _add(self, part: dict[str, Any] | list[Any]) -> int:
        """Where it will stand."""
        items = part.items() if isinstance(part, dict) else enumerate(part)
        places = [(name, inner if isinstance(inner, int) else self._add(inner)) for name, inner in items]
        self._parts.append((part, places))
        return self._size + len(self._parts) - 1


def _shape(names: Sequence[str], limits: FormLimits) -> dict[str, Any]:
    """The nesting that the names alone make: in each value's place its index."""
    root: dict[str, Any] = {}
    for place, name in enumerate(names):
        if "[" not in name:
            root[name] = place
            continue
        head, *steps = _split_name(name)
        if len(steps) > limits.levels:
            raise FormError("levels")
        node, last = root, head
        for step in steps:
            node = _branch(node, last)
            last = step if step > ":" else _index(step, node, limits)  # past the digits: a name
        node[last] = place
    return {name: _lists(part) if type(part) is dict else part for name, part in root.items()}


def _branch(node: dict[str, Any], name: str) -> dict[str, Any]:
    inner = node.get(name)
    if type(inner) is not dict:
        inner = node[name] = {}
    return inner


def split_name(name: str) -> tuple[str, ...]:
    """`a[b][]` -> ("a", "b", ""); a name whose brackets do not match is itself, whole."""
    head, bracket, rest = name.partition("[")
    if not bracket or not head or not rest.endswith("]"):
        return (name,)
    return head, *rest[:-1].split("][")


_split_name = lru_cache(maxsize=1024)(split_name)


def _index(step: str, node: dict[str, Any], limits: FormLimits) -> str:
    """An empty step is one past the largest index so far, as in PHP: it never lands on a value that is there."""
    if step == "":
        step = str(max((int(name) for name in node if _is_index(name)), default=-1) + 1)
    if _is_index(step) and int(step) > limits.index:
        raise FormError("index")
    return step


def _is_index(name: str) -> bool:
    return name.isdigit() and name.isascii()


def _lists(branch: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """A branch whose names are all indexes is a list, in order of its indexes."""
    inner = {name: _lists(item) if type(item) is dict else item for name, item in branch.items()}
    if all(map(_is_index, inner)):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def encode_form(fields: Mapping[str, Any]) -> bytes:
    """Brackets again: None and empty containers are left out, booleans are the vendor's "true" and "false"."""
    parts: list[str] = []
    _encode(parts, "", fields.items(), "")
    return "&".join(parts).encode()


def _encode(parts: list[str], before: str, items: Iterable[tuple[Any, Any]], after: str) -> None:
    """`before` and `after` stand around the quoted name of each item. Recursion to the depth of the values."""
    for key, value in items:
        name = f"{before}{key if type(key) is int else _quoted(str(key))}{after}"
        if type(value) is str:  # most are
            parts.append(f"{name}={_quoted(value)}")
        elif isinstance(value, list | tuple):  # before Mapping, as asking for that takes long
            _encode(parts, f"{name}%5B", enumerate(value), "%5D")
        elif type(value) is dict or isinstance(value, Mapping):
            _encode(parts, f"{name}%5B", value.items(), "%5D")
        elif isinstance(value, bool):
            parts.append(f"{name}={'true' if value else 'false'}")
        elif value is not None:
            parts.append(f"{name}={_quoted(str(value))}")


def _quoted(text: str) -> str:
    return _quoted_before(text) if len(text) <= _SHORT else quote_plus(text)


_quoted_before = lru_cache(maxsize=4096)(quote_plus)
