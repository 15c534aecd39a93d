"""JSON: counted before it is parsed, fast when it is clean, and read all the same when it is not.

orjson refuses NaN and lone surrogates and turns an integer past 64 bits into a float without a word. Such bodies are
readable: the standard library reads them, and what stands in them is told as faults.
"""

import json
import math
import re
from typing import Any, Final

import orjson

from base.reasons import Quarantine, Refusal
from collector.decode.decoded import Decoded
from collector.decode.limits import BodyLimits
from collector.decode.salvage import salvage_json
from collector.errors import Refused
from collector.limits import HELD_BACK

# Nineteen digits where a number may stand: not within a word, as an id may hold as many. Sought with all digits made
# alike, and all that may stand before a number: that takes an eighth of what a regular expression does.
_ALIKE: Final = bytes.maketrans(b"123456789 \t\n\r\v\f,[-", b"0" * 9 + b":" * 9)
_LONG_NUMBER: Final = b":" + b"0" * 19
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}:]', re.DOTALL)  # an open string runs to the end: linear
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_NOT_NESTING: Final = bytes(set(range(256)) - set(b'"[]{}'))
_PARTNERS: Final = {b"}": b"{", b"]": b"["}
_LARGEST_INTEGER: Final = 2**64 - 1
_LEAST_INTEGER: Final = -(2**63)
_MOST_DIGITS: Final = 40


def read_json(body: bytes, charset: str, limits: BodyLimits) -> Decoded:
    """Refused with 400 for what is no JSON object; an empty body has no fields."""
    if charset not in ("utf-8", "ascii"):
        try:
            body = body.decode(charset).lstrip("\ufeff").encode()
        except UnicodeDecodeError:
            return Decoded(salvage_json(body), body, (Quarantine.BAD_TEXT,))
    if not body.strip():
        return Decoded({}, body)
    fault = over_limits(body, limits)
    if fault is not None:
        return Decoded(salvage_json(body), body, (fault,))
    if _LONG_NUMBER not in body.translate(_ALIKE):
        try:
            return Decoded(_object(orjson.loads(body)), body)
        except orjson.JSONDecodeError:
            pass
    fields = _object(_read_slowly(body))
    return Decoded(fields, body, faults_of(fields))


def over_limits(body: bytes, limits: BodyLimits) -> Quarantine | None:
    """Brackets and names outside strings. Refused with 400 when the brackets do not match."""
    openings = body.count(b"{") + body.count(b"[")
    if openings > limits.containers or body.count(b":") > limits.members:
        return scan(body, limits)
    return None if openings <= limits.depth or _is_shallow(body, limits.depth) else scan(body, limits)


def _is_shallow(body: bytes, depth: int) -> bool:
    """Never said of JSON that is not, and of most that is. What is left of a batch without its texts takes a few passes,
    each of which takes out what is innermost: one level of it, or two."""
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    nested = bare.translate(None, _NOT_NESTING).replace(b'""', b"")  # a text that holds brackets keeps its quotes
    passes = depth // 2
    while nested and passes:
        nested = nested.replace(b"{}", b"").replace(b"[]", b"")
        passes -= 1
    return not nested


def scan(body: bytes, limits: BodyLimits) -> Quarantine | None:
    """The plain way: token by token, in Python."""
    stack: list[bytes] = []
    containers = deepest = members = 0
    for token in _TOKENS.findall(body):
        if token in (b"{", b"["):
            stack.append(token)
            containers += 1
            deepest = max(deepest, len(stack))
        elif token == b":":
            members += 1
        elif token in _PARTNERS and (not stack or stack.pop() != _PARTNERS[token]):
            raise _unreadable("its brackets do not match")
    if stack:
        raise _unreadable("it ends too early")
    if deepest > limits.depth:
        return HELD_BACK["json_depth"]
    if members > limits.members:
        return HELD_BACK["json_members"]
    return HELD_BACK["json_containers"] if containers > limits.containers else None


def _read_slowly(body: bytes) -> Any:
    """Numbers and texts as they stand, whatever they are; bytes that are no UTF-8 become lone surrogates."""
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"), parse_int=_integer)
    except ValueError as error:
        raise _unreadable(str(error)) from error


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def faults_of(value: Any) -> tuple[Quarantine, ...]:
    """What in it no event can hold: texts that are no Unicode, numbers that are none or do not fit 64 bits."""
    return tuple(dict.fromkeys(_faults(value)))


def _faults(value: Any) -> list[Quarantine]:
    if isinstance(value, str):
        return [] if _SURROGATES.search(value) is None else [Quarantine.BAD_TEXT]
    if isinstance(value, float):
        return [] if math.isfinite(value) else [Quarantine.BAD_NUMBER]
    if isinstance(value, int):
        return [] if _LEAST_INTEGER <= value <= _LARGEST_INTEGER else [Quarantine.BAD_NUMBER]
    if isinstance(value, dict):
        return [fault for pair in value.items() for part in pair for fault in _faults(part)]
    if isinstance(value, list):
        return [fault for item in value for fault in _faults(item)]
    return []


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _unreadable("it is not an object")
    return value


def _unreadable(why: str) -> Refused:
    return Refused(Refusal.UNREADABLE_BODY, f"the JSON body can't be read: {why[:200]}")
