"""docs/event.schema.json, made from the Event: `python -m eventlog.schema > docs/event.schema.json`."""

import sys
from typing import Any

import orjson

from eventlog.event import Event

_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_TIMES = frozenset({"time", "receivedtime", "clienttime", "senttime"})
_MEANINGS = {
    "id": "UUIDv7, made when the request's first byte came; the answer's X-Event-Id.",
    "type": "ochn.<web|mobile>.<init|visit|sale|contact|feedback|engagement|profiling|reach|impression|sensors|geo|register>.",
    "subject": "The visitor's id; also the record's key.",
    "time": "When it happened: the device's clock, corrected by the difference to ours when it told its own.",
    "person": "uid of the person: a keyed hash of customer id, e-mail or phone.",
    "door": "The path it came in by.",
    "consent": "What the browser said: cookie=…;gpc=1;dnt=1.",
    "privacy": "What was not kept: address=truncate|drop;personal=hash|drop, then hashes by name. Left out: all was kept.",
    "quarantinereasons": "Only in the quarantine topic: codes, joined by commas.",
    "spooled": "Waited in the spool while the log was away.",
    "maybeduplicate": "May stand in the log twice under this id.",
}


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a record's value in the events and quarantine topics."""
    properties: dict[str, Any] = {"specversion": {"const": "1.0"}, "datacontenttype": {"const": "application/json"}}
    required = ["specversion"]
    for name, annotation in Event.__annotations__.items():
        properties[name] = _property(name, annotation)
        if name in ("id", "type", "subject", "time", "receivedtime", "tenant", "appkeyname", "door", "source"):
            required.append(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ochn event",
        "description": "CloudEvents 1.0, structured JSON (application/cloudevents+json). What is not known is left out.",
        "type": "object",
        "properties": properties,
        "required": required,
        "oneOf": [{"required": ["data"]}, {"required": ["data_base64"]}],
        "additionalProperties": {"type": ["string", "integer", "boolean"]},
    }


def _property(name: str, annotation: Any) -> dict[str, Any]:
    described = {"description": _MEANINGS[name]} if name in _MEANINGS else {}
    if name == "data":
        return {"type": "object", "description": "The call's fields, canonical names first; unknown ones as they came."}
    if annotation is bool:
        return {"const": True, **described}
    if name == "id":
        return {"type": "string", "pattern": _UUID, **described}
    if name == "type":
        return {"type": "string", "pattern": r"^ochn\.(web|mobile)\.[a-z]+$", **described}
    if name in _TIMES:
        return {"type": "string", "format": "date-time", **described}
    return {"type": "string", "minLength": 1, **described}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode() + "\n")
