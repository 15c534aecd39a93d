"""An ad-serving call on its way upstream: our app key and our mid in it become the vendor's. Pure.

What else it holds goes as it came. `{"mid": …, "appkey": …}` stand at the top of a JSON object or a form, or in the
query; the SDK sends the key as a header too.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

import orjson

from base.reasons import Refusal
from collector.arrival import Arrival
from collector.decode import BodyLimits
from collector.decode.json_body import over_limits
from collector.errors import Refused

_KEYS: Final = frozenset({"appkey", "appKey"})
_MIDS: Final = frozenset({"mid", "mobileId"})
_PAIRS: Final = 1000  # of a form or a query
_JSON: Final = frozenset({"application/json", "text/plain"})
_FORM: Final = "application/x-www-form-urlencoded"

Fields = list[tuple[str, Any]]
Swap = Callable[[str, str], str]  # (name, value) -> the value that goes upstream


class AdCall(NamedTuple):
    """`body` None: it came as JSON or a form that has fields; else the bytes as they came."""

    query: Fields
    fields: Fields
    media: str  # of the body, without parameters; empty: there is none

    def key(self, headers: Mapping[str, str]) -> str:
        told = [value for name, value in (*self.fields, *self.query) if name in _KEYS and isinstance(value, str)]
        return headers.get("appkey") or next(iter(told), "")

    def mid(self) -> str:
        told = [value for name, value in (*self.fields, *self.query) if name in _MIDS and isinstance(value, str)]
        return next(iter(told), "")

    def sent(self, appkey: str, swapped: Callable[[str], str]) -> tuple[str, bytes]:
        """The query and the body that go upstream; `swapped` gives the vendor's id for a mid."""

        def swap(name: str, value: Any) -> Any:
            if not isinstance(value, str):
                return value
            return appkey if name in _KEYS else swapped(value) if name in _MIDS else value

        query, fields = ([(name, swap(name, value)) for name, value in each] for each in (self.query, self.fields))
        if not self.media:
            return urlencode(query), b""
        body = urlencode(fields).encode() if self.media == _FORM else orjson.dumps(dict(fields))
        return urlencode(query), body


def parsed(arrival: Arrival, limits: BodyLimits) -> AdCall:
    """Refused: the body can't be read, or is nested deeper than can be written again, so no id in it could be swapped."""
    media = arrival.headers.get("content-type", "").partition(";")[0].strip().lower()
    if arrival.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(Refusal.UNSUPPORTED_MEDIA)
    query = _pairs(arrival.query)
    if not arrival.body:
        return AdCall(query, [], "")
    if media == _FORM:
        return AdCall(query, _pairs(_text(arrival.body)), media)
    if media not in _JSON:
        raise Refused(Refusal.UNSUPPORTED_MEDIA)
    if over_limits(arrival.body, limits) is not None:
        raise Refused(Refusal.UNREADABLE_BODY)
    try:
        value = orjson.loads(arrival.body)
    except orjson.JSONDecodeError as error:
        raise Refused(Refusal.UNREADABLE_BODY) from error
    if not isinstance(value, dict):
        raise Refused(Refusal.UNREADABLE_BODY)
    return AdCall(query, list(value.items()), "application/json")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise Refused(Refusal.UNREADABLE_BODY) from error


def _pairs(text: str) -> Fields:
    try:
        return list(parse_qsl(text, keep_blank_values=True, max_num_fields=_PAIRS))
    except ValueError as error:
        raise Refused(Refusal.UNREADABLE_BODY) from error
