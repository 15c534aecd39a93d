"""Netcore CE's "Add Activity API" as its page describes it, and the newer header and field that contracts.md names.

A batch with one faulty activity is refused whole. An activity with an empty array anywhere in its params is answered
with success and thrown away, as the page warns.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from forwarder.sandbox.vendor import Answer, Incoming, as_json

API_KEY: Final = "sandbox-netcore"
ASSETS: Final = frozenset({"web-asset", "app-asset"})
MAX_ACTIVITIES: Final = 1000

_PATH: Final = "/v1/activity/upload"
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?", re.ASCII)
_REQUIRED: Final = {
    "activity_name": "Activity Name",
    "asset_id": "Asset Id",
    "timestamp": "Timestamp",
    "activity_source": "Activity Source",
}


class Netcore:
    name = "netcore"

    def answer(self, call: Incoming, _now: float) -> Answer:
        if call.path != _PATH:
            return _no(404, "Not Found")
        if call.method != "POST":
            return Answer(405, self.failure("Method Not Allowed"), {"allow": "POST"})
        if call.headers.get("authorization") != f"Bearer {API_KEY}" and call.headers.get("api-key") != API_KEY:
            return _no(401, "Invalid API Key")
        if fault := _batch_fault(call.body):
            return _no(400, f"Bad Request | {fault}")
        dropped = sum(_has_empty_array(activity["activity_params"]) for activity in call.body)
        return as_json(200, {"status": "success"}, events=len(call.body) - dropped, dropped=dropped)

    def failure(self, message: str) -> bytes:
        return orjson.dumps({"status": "failure", "message": message})


def _no(status: int, message: str) -> Answer:
    return as_json(status, {"status": "failure", "message": message})


def _batch_fault(body: Any) -> str:
    if not isinstance(body, list) or not body:
        return "Expected a JSON array of activities"
    if len(body) > MAX_ACTIVITIES:
        return f"More than {MAX_ACTIVITIES} activities"
    return next((fault for activity in body if (fault := _fault(activity))), "")


def _fault(activity: Any) -> str:
    if not isinstance(activity, Mapping):
        return "An activity is not an object"
    given = {
        **{title: isinstance(activity.get(name), str) and activity[name] for name, title in _REQUIRED.items()},
        "Identity": any(_is_id(activity.get(name)) for name in ("identity", "annonid", "anonid")),
        "Activity Params": isinstance(activity.get("activity_params"), Mapping),
    }
    for title, present in given.items():
        if not present:
            return f"Missing Parameter - {title}"
    valid = {
        "Asset Id": activity["asset_id"] in ASSETS,
        "Activity Source": activity["activity_source"] in ("web", "app"),
        "Timestamp": _is_timestamp(activity["timestamp"]),
    }
    return next((f"Invalid Parameter - {title}" for title, good in valid.items() if not good), "")


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _is_timestamp(text: str) -> bool:
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _has_empty_array(value: Any) -> bool:
    if isinstance(value, list):
        return not value or any(_has_empty_array(item) for item in value)
    return isinstance(value, Mapping) and any(_has_empty_array(item) for item in value.values())
