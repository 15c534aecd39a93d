"""What came as JSON or as a form, in the one shape that a destination wants."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from base.clock import from_rfc3339
from eventlog.event import Event

_DEEPEST: Final = 40  # levels; the collector lets in 32
_LONGEST_NUMBER: Final = 40  # characters
_CONTAINERS: Final = (dict, list, tuple, Mapping)  # the rare last, as asking for it takes long
_LEAST, _MOST = -(2**63), 2**64 - 1  # what JSON writers agree on


def clean(value: Any, depth: int = 0) -> Any:
    """Without NUL, null, empty text, empty array or empty object anywhere within; None when nothing is left."""
    if isinstance(value, str):
        return (value.replace("\0", "") if "\0" in value else value) or None
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, _CONTAINERS):
        return _clean_container(value, depth + 1) or None if depth < _DEEPEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        return str(value)
    return value


def _clean_container(value: Any, depth: int) -> Any:
    """Most of what is within is text without NUL: it is looked at here, as to ask for each takes longer than to answer."""
    if isinstance(value, list | tuple):
        cleaned = [one if type(one) is str and "\0" not in one else clean(one, depth) for one in value]
        return [item for item in cleaned if item is not None and item != ""]
    found = {}
    for key, one in value.items():
        name = str(key)
        if "\0" in name:
            name = name.replace("\0", "")
        item = one if type(one) is str and "\0" not in one else clean(one, depth)
        if name and item is not None and item != "":
            found[name] = item
    return found


def text(value: Any) -> str:
    """Trimmed; a number as its digits; empty for everything that is no single value."""
    if type(value) is str:  # most are
        return (value.replace("\0", "") if "\0" in value else value).strip()
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\0", "").strip()


def texts(value: Any) -> list[str]:
    """A list of texts, also from one alone, and from a form's `brands[first]=…`."""
    if value is None:
        return []
    items = value
    if type(value) is not list:
        items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else (value,)
    # most are text without NUL, as in _clean_container
    return [
        found for item in items if (found := item.strip() if type(item) is str and "\0" not in item else text(item))
    ]


def number(value: Any) -> int | float | None:
    """A number, or its digits as a form carries them."""
    if isinstance(value, str):
        value = _parsed(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float) or not _LEAST <= value <= _MOST:
        return None
    return value


def _parsed(digits: str) -> int | float | None:
    if len(digits) > _LONGEST_NUMBER or not digits.isascii() or "_" in digits:
        return None
    for reader in (int, float):
        try:
            return reader(digits)
        except ValueError:
            continue
    return None


def table(value: Any) -> Mapping[str, Any]:
    """An object, or an empty one where something else stands."""
    if type(value) is dict:  # most are
        return value
    return value if value is not None and isinstance(value, Mapping) else {}


def email(value: Any) -> str:
    """Empty for what is no address: a page's `undefined` must not make one person of all its visitors."""
    found = text(value)
    name, at, host = found.rpartition("@")
    return found if name and at and host and len(found.split(maxsplit=1)) == 1 else ""


def happened(event: Event, now: float) -> float:
    """Seconds since the epoch."""
    for moment in (event.time, event.receivedtime):
        try:
            return from_rfc3339(moment)
        except (ValueError, OverflowError):
            continue
    return now


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
