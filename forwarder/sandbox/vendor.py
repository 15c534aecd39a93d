"""What a sandboxed vendor is: a pure function from a call to an answer, beside the name its calls are kept under."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from base.forms import FormError, FormLimits, read_form

# The vendors' own limits are unknown: these only keep a mistaken load test from eating the machine.
_LIMITS: Final = FormLimits(pairs=100_000, key_bytes=4096, value_bytes=16 * 1024 * 1024, levels=30, index=100_000)


@dataclass(frozen=True, slots=True)
class Incoming:
    """`path` is the vendor's own, without the sandbox's prefix; header names in lower case; `body` decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """`events` are those that the vendor took; `dropped` those it said yes to and threw away. Status 0: no answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    events: int = 0
    dropped: int = 0


class Vendor(Protocol):
    name: str

    def answer(self, call: Incoming, now: float) -> Answer: ...

    def failure(self, message: str) -> bytes:
        """The vendor's way of saying no, whatever the status."""
        ...


def as_json(status: int, value: Any, *, events: int = 0, dropped: int = 0) -> Answer:
    return Answer(status, orjson.dumps(value), {}, events, dropped)


def decoded(content_type: str, body: bytes) -> Any:
    """A form nested, JSON parsed, nothing as no fields; anything else (or what can't be read) as text."""
    if not body:
        return {}
    media = content_type.partition(";")[0].strip().lower()
    try:
        if media == "application/json":
            return orjson.loads(body)
        if media == "application/x-www-form-urlencoded":
            return read_form(body, _LIMITS)
    except (orjson.JSONDecodeError, FormError):
        pass
    return body.decode("utf-8", "replace")
