"""ExpertSender CDP's custom events as their page describes them: 201 without a word, problem+json for the rest.

Custom events 100 to 999 and segments 1 to 99 exist, and so does every customer but those at `unknown.example` and
those whose phone begins with `+999`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from forwarder.sandbox.vendor import Answer, Incoming

API_KEY: Final = "sandbox-expertsender"
NOBODY: Final = "nobody@unknown.example"  # whose hashes are unknown too

_PATHS: Final = ("/scenariocustomevents", "/scenariocustomevents/withsegments")
_KEYS: Final = {
    "customerId": 128,
    "customerEmail": 320,
    "customerEmailMd5": 32,
    "customerEmailSha256": 64,
    "customerPhone": 20,
    "customerCrmId": 128,
}
_EVENTS, _SEGMENTS = range(100, 1000), range(1, 100)
_HASHED: Final = {hashlib.md5(NOBODY.encode()).hexdigest(), hashlib.sha256(NOBODY.encode()).hexdigest()}  # noqa: S324
_READERS: Final[Mapping[str, Any]] = {
    "String": str,
    "Text": str,
    "Number": Decimal,
    "Money": Decimal,
    "Date": date.fromisoformat,
    "DateTime": datetime.fromisoformat,
    "Boolean": {"true": True, "false": False}.__getitem__,
    "Url": lambda value: ["http", "https"].index(value.partition("://")[0]),
}


class ExpertSender:
    name = "expertsender"

    def answer(self, call: Incoming, _now: float) -> Answer:
        if call.path not in _PATHS:
            return _problem(404, "Not Found", "No such address")
        if call.method != "POST":
            refused = _problem(405, "Method Not Allowed", "POST it")
            return Answer(405, refused.body, {**refused.headers, "allow": "POST"})
        if call.headers.get("x-api-key") != API_KEY:
            return _problem(401, "Unauthorized", "The API key is missing or unknown")
        body = call.body if isinstance(call.body, Mapping) else {}
        segments = call.path == _PATHS[1]
        if faults := [*_faults(body), *(_segment_faults(body) if segments else _customer_faults(body))]:
            return _problem(400, "Bad Request", "One or more validation errors occurred.", errors=faults)
        if missing := _missing(body, segments=segments):
            return _problem(404, "Not Found", missing)
        return Answer(201, events=1)

    def failure(self, message: str) -> bytes:
        return _problem(500, "Error", message).body


def _problem(status: int, title: str, detail: str, **more: Any) -> Answer:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": "", **more}
    return Answer(status, orjson.dumps(body), {"content-type": "application/problem+json"})


def _is_int32(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    if not _is_int32(body.get("customEventId")):
        yield "customEventId: a whole number of 32 bits is required"
    fields = body.get("dataFields", [])
    for field in fields if isinstance(fields, list) else [None]:
        if not isinstance(field, Mapping) or not isinstance(field.get("value"), str) or not field.get("name"):
            yield "dataFields: name, type and value are texts"
        elif not _reads(field["value"], field.get("type")):
            yield f"dataFields: {field['name']} is no {field.get('type')}"


def _reads(value: str, of_type: Any) -> bool:
    try:
        _READERS[of_type](value)
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return False
    return True


def _customer_faults(body: Mapping[str, Any]) -> Iterator[str]:
    told = {name: body[name] for name in _KEYS if body.get(name)}
    if not told:
        yield "A customer is required"
    for name, value in told.items():
        if not isinstance(value, str) or len(value) > _KEYS[name]:
            yield f"{name}: at most {_KEYS[name]} characters"


def _segment_faults(body: Mapping[str, Any]) -> Iterator[str]:
    segments = body.get("segments")
    if not isinstance(segments, list) or not segments or not all(map(_is_int32, segments)):
        yield "segments: whole numbers are required"


def _missing(body: Mapping[str, Any], *, segments: bool) -> str:
    """What there is not; the customer is looked for by the first key alone."""
    if body["customEventId"] not in _EVENTS:
        return f"Custom event {body['customEventId']} does not exist"
    if segments:
        return "" if all(one in _SEGMENTS for one in body["segments"]) else "A segment does not exist"
    key = next(str(body[name]) for name in _KEYS if body.get(name))
    unknown = key.endswith("@unknown.example") or key.startswith("+999") or key in _HASHED
    return "Customer does not exist" if unknown else ""
