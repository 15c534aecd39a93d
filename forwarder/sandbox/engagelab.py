"""EngageLab MA as its pages describe it: every answer is a 200, its code says what it means.

0 is "success or partial success": of a report, what names an unknown EUID is thrown away as long as one is known.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from forwarder.sandbox.tokens import basic
from forwarder.sandbox.vendor import Answer, Incoming, as_json

API_KEY: Final = "sandbox-engagelab"
API_SECRET: Final = "sandbox-engagelab-secret"  # noqa: S105 - the sandbox's own, printed in its docs

_IDENTITIES: Final = ("user_id", "anonymous_id", "registration_id")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_CHECK: Final = 997
_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})
_MESSAGES: Final = {
    0: "success",
    40050: "authentication failed",
    40007: "EUID is empty",
    55004: "invalid parameters",
    55101: "more than 100 identity values",
    55102: "invalid name",
    55103: "empty value",
    55105: "identity value over 256 characters",
    55106: "identity name not supported",
    55107: "identity value is empty",
    55108: "invalid EUID",
}


class EngageLab:
    name = "engagelab"

    def answer(self, call: Incoming, _now: float) -> Answer:
        routes: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "/v1/user/register": _register,
            "/v1/user/contact": _contact,
            "/v1/event/report": _report,
        }
        if call.path not in routes:
            return as_json(404, {"code": 404, "message": "Not Found"})
        if call.method != "POST":
            return Answer(405, orjson.dumps({"code": 405, "message": "Method Not Allowed"}), {"allow": "POST"})
        if call.headers.get("authorization") != basic(API_KEY, API_SECRET):
            return _code(40050)
        return routes[call.path](call.body) if isinstance(call.body, Mapping) else _code(55004)

    def failure(self, message: str) -> bytes:
        return orjson.dumps({"code": -1, "message": message})


def euid_for(name: str, value: str) -> int:
    """The same for the same person, also from a sandbox that was started anew; it ends in a check."""
    stem = int.from_bytes(hashlib.sha256(f"{name}:{value}".encode()).digest()[:5], "big")
    return (stem + 1) * 1000 + (stem + 1) % _CHECK


def _code(code: int, *, events: int = 0, dropped: int = 0, **more: Any) -> Answer:
    return as_json(200, {"code": code, "message": _MESSAGES[code], **more}, events=events, dropped=dropped)


def _euid_fault(euid: Any) -> int:
    if euid in (None, 0, ""):
        return 40007
    known = isinstance(euid, int) and not isinstance(euid, bool) and euid > 0
    return 0 if known and euid // 1000 % _CHECK == euid % 1000 else 55108


def _register(body: Mapping[str, Any]) -> Answer:
    name, values = body.get("identity_name"), body.get("identity_values")
    if name not in _IDENTITIES:
        return _code(55106)
    if not isinstance(values, list) or not values:
        return _code(55107)
    if len(values) > 100:
        return _code(55101)
    if any(not isinstance(value, str) or not value for value in values):
        return _code(55107)
    if any(len(value) > 256 for value in values):
        return _code(55105)
    return _code(0, data=[{"identity_value": value, "euid": euid_for(name, value)} for value in values])


def _contact(body: Mapping[str, Any]) -> Answer:
    if fault := _euid_fault(body.get("euid")):
        return _code(fault)
    contacts = body.get("contacts")
    if not isinstance(contacts, Mapping) or not contacts or not all(isinstance(one, str) for one in contacts.values()):
        return _code(55004)
    return _code(55103) if "" in contacts.values() else _code(0)


def _report(body: Mapping[str, Any]) -> Answer:
    data = body.get("data")
    if not isinstance(data, list) or not data:
        return _code(55004)
    if fault := next((fault for event in data if (fault := _event_fault(event))), 0):
        return _code(fault)
    unknown = [fault for event in data if (fault := _euid_fault(event.get("euid")))]
    if len(unknown) == len(data):
        return _code(unknown[0])
    return _code(0, events=len(data) - len(unknown), dropped=len(unknown))


def _event_fault(event: Any) -> int:
    if not isinstance(event, Mapping) or not isinstance(event.get("properties"), Mapping):
        return 55004
    moment = event.get("itime")
    if not isinstance(moment, int) or isinstance(moment, bool) or not isinstance(event.get("event_name"), str):
        return 55004
    if not all(_NAME.fullmatch(name) for name in (event["event_name"], *event["properties"])):
        return 55102
    return 55103 if any(value in _EMPTY for value in event["properties"].values()) else 0
