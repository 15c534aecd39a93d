"""The value of a dataField: always a text, written as its type wants it.

The vendor's page names the types and shows only texts; how the others are written is our inference.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import orjson

from base.errors import OchnError
from forwarder.destinations.expertsender.settings import DataType
from forwarder.destinations.mapping import Constant
from forwarder.destinations.values import number, text

_BOOLEANS: Final = {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false"}


class WrongType(OchnError):
    """A value that its declared type can't hold."""


def written(value: Any, of_type: DataType) -> str:
    """WrongType when `value` is none of that type."""
    found = _WRITERS[of_type](value)
    if not found:
        raise WrongType(f"{_words(value)[:80]!r} is no {of_type}")
    return found


def constant_type(value: Constant) -> DataType:
    if isinstance(value, bool):
        return "Boolean"
    return "String" if isinstance(value, str) else "Number"


def _words(value: Any) -> str:
    """Several texts joined by commas; what is no single value and no list of them, as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return orjson.dumps(value).decode() if isinstance(value, list | Mapping) else text(value)


def _number(value: Any) -> str:
    """Digits in full: no exponent."""
    found = number(value)
    return "" if found is None else format(Decimal(repr(found)), "f")


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text(value))
    except ValueError:
        return None


def _date(value: Any) -> str:
    moment = _moment(value)
    return "" if moment is None else moment.date().isoformat()


def _date_time(value: Any) -> str:
    moment = _moment(value)
    return "" if moment is None else moment.isoformat(timespec="seconds")


def _url(value: Any) -> str:
    found = text(value)
    return found if found.startswith(("https://", "http://")) else ""


_WRITERS: Final[Mapping[DataType, Callable[[Any], str]]] = {
    "String": _words,
    "Text": _words,
    "Number": _number,
    "Money": _number,
    "Date": _date,
    "DateTime": _date_time,
    "Boolean": lambda value: _BOOLEANS.get(_words(value).lower(), ""),
    "Url": _url,
}
