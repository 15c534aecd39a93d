"""Footprints as its page and its real clients describe it (contracts.md, section 2; the page's "Web Data Tracking").

Takes every app key but `refused`. Where the page shows no error shape, refusals are a `status: error` with a message:
in a 400 for a send that lacks something, in a 200 for a mobile init that names nobody.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import available_timezones

import orjson

from base.ids import IdSource
from forwarder.sandbox.tokens import YEAR, Tokens, basic
from forwarder.sandbox.vendor import Answer, Incoming, as_json

KEY: Final = "sandbox-key"
SECRET: Final = "sandbox-secret"  # noqa: S105 - the sandbox's own, printed in its docs
REFUSED_APPKEY: Final = "refused"

_GRANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "client_credentials": (),
    "password": ("username", "password"),
    "pin": ("pin",),
}
_ACTIONS: Final = frozenset({"visit", "sale", "contact", "feedback", "engagement", "profiling"})
_ADS: Final = frozenset({"reach", "impression"})  # request types of the official SDK; an action is optional there
_AD_SERVING: Final = (
    *("content-delivery", "sponsored-products-id", "sponsored-products-json", "sponsored-products-ad"),
    *("recommendation-products", "recommendation-products-ids", "recommendation-products-json"),
    *("recommendation-products/search", "proximity-location"),
)
_BOOLEANS: Final = ("hasKids", "agreeTandc", "agreePrivacy", "agreedTargetedMessages", "isAdult")
_DATES: Final = {"createdAt": "%Y-%m-%d %H:%M:%S", "userBirthday": "%Y-%m-%d"}

Handler = Callable[[Incoming, float], Answer]


class Footprints:
    name = "footprints"

    def __init__(self, ids: IdSource, token_seconds: int = YEAR) -> None:
        self._ids = ids
        self._tokens = Tokens(ids, SECRET, token_seconds)
        geo, sensors = self._tracked(_geo_fault), self._tracked(_sensors_fault)
        self._routes: dict[str, dict[str, Handler]] = {
            "/jsapi/init": {"POST": self._web_init},
            "/jsapi/send": {"POST": self._tracked(_web_send_fault, {})},
            "/mobileapi/init": {"POST": self._mobile_init},
            "/mobileapi/send": {"POST": self._tracked(_mobile_send_fault, {})},
            "/mobileapi/sensors": {"PUT": sensors, "POST": sensors},
            "/mobileapi/geo": {"PUT": geo, "POST": geo},
            "/api/token": {"POST": self._token},
            "/api/lead": {"POST": self._lead},
            "/api/client": {"DELETE": self._erase},
            **{f"/mobileapi/{name}": dict.fromkeys(("GET", "POST", "PUT"), self._serve_ad) for name in _AD_SERVING},
        }

    def answer(self, call: Incoming, now: float) -> Answer:
        methods = self._routes.get(call.path)
        if methods is None:
            return _no(404, "Not found")
        handler = methods.get(call.method)
        if handler is None:
            return Answer(405, self.failure("Method not allowed"), {"allow": ", ".join(methods)})
        if not isinstance(call.body, dict):
            return _no(400, "Body can't be read")
        return handler(call, now)

    def failure(self, message: str) -> bytes:
        return orjson.dumps({"status": "error", "success": False, "message": message})

    def _web_init(self, call: Incoming, _now: float) -> Answer:
        if refusal := _key_refusal(call.body):
            return refusal
        if email := _text(call.body, "email"):
            return as_json(200, {"status": "ok", "uid": _derived("uid", email)}, events=1)
        return as_json(200, {"status": "ok", "pid": self._ids.random(32).hex()}, events=1)

    def _mobile_init(self, call: Incoming, _now: float) -> Answer:
        if refusal := _key_refusal(call.body):
            return refusal
        device = _text(call.body, "pushNotificationToken") or _text(call.body, "userEmail")
        if not device:
            return _no(200, "userEmail or pushNotificationToken is required")
        return as_json(200, {"status": "ok", "mobileId": _derived("mobile", device)}, events=1)

    def _tracked(self, fault: Callable[[Mapping[str, Any]], str], reply: Mapping[str, Any] | None = None) -> Handler:
        """`reply` is what a call that `fault` finds nothing wrong with is answered; by default, success."""
        body = {"success": True} if reply is None else reply

        def handle(call: Incoming, _now: float) -> Answer:
            if refusal := _key_refusal(call.body):
                return refusal
            if wrong := fault(call.body):
                return _no(400, wrong)
            return as_json(200, body, events=1)

        return handle

    def _serve_ad(self, call: Incoming, _now: float) -> Answer:
        """The shape of its answers is not documented: this one says for whom it is, and has nothing to show."""
        told = {"appkey": call.headers.get("appkey"), **call.query, **call.body}
        if refusal := _key_refusal(told):
            return refusal
        return (
            as_json(200, {"success": True, "mid": told["mid"], "data": []})
            if _text(told, "mid")
            else _no(400, "mid is required")
        )

    def _token(self, call: Incoming, now: float) -> Answer:
        if call.headers.get("authorization") != basic(KEY, SECRET):
            return _no(401, "Invalid client credentials")
        wanted = _GRANTS.get(_text(call.body, "grant_type"))
        if wanted is None:
            return _no(400, f"grant_type must be one of {', '.join(_GRANTS)}")
        if missing := [name for name in wanted if not _text(call.body, name)]:
            return _no(400, f"{', '.join(missing)} is required")
        answer = {
            "access_token": self._tokens.issue(now),
            "token_type": "bearer",
            "expires_in": self._tokens.seconds,
            "refresh_token": self._ids.random(32).hex(),
            "scope": ["app_scope", "hostess_scope"],
        }
        return as_json(200, answer)

    def _lead(self, call: Incoming, now: float) -> Answer:
        if not self._tokens.holds(call.query.get("access_token", ""), now):
            return _no(401, "Invalid access token")
        if wrong := _lead_fault(call.body):
            return _no(400, wrong)
        return as_json(200, {"_id": self._ids.random(12).hex()}, events=1)

    def _erase(self, call: Incoming, now: float) -> Answer:
        if not self._tokens.holds(call.query.get("access_token", ""), now):
            return _no(401, "Invalid access token")
        return as_json(200, {"status": "success"}) if _text(call.body, "userExternalId") else _no(404, "No such client")


def _no(status: int, message: str) -> Answer:
    return as_json(status, {"status": "error", "success": False, "message": message})


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _key_refusal(body: Mapping[str, Any]) -> Answer | None:
    return _no(403, "Invalid appkey") if _text(body, "appkey") in ("", REFUSED_APPKEY) else None


def _web_send_fault(body: Mapping[str, Any]) -> str:
    if not _text(body, "uid"):
        return "uid is required"
    if _text(body, "uType") not in ("p", "c"):
        return "uType must be p or c"
    return _action_fault(body)


def _mobile_send_fault(body: Mapping[str, Any]) -> str:
    return _action_fault(body) if _text(body, "mid") else "mid is required"


def _action_fault(body: Mapping[str, Any]) -> str:
    action = _text(body, "actionType")
    if action in _ACTIONS or (not action and _text(body, "requestType") in _ADS):
        return ""
    return f"actionType must be one of {', '.join(sorted(_ACTIONS))}"


def _sensors_fault(body: Mapping[str, Any]) -> str:
    if not _text(body, "mid"):
        return "mid is required"
    return "" if isinstance(body.get("sensors"), list | dict) else "sensors is required"


def _geo_fault(body: Mapping[str, Any]) -> str:
    return next((f"{name} is required" for name in ("mid", "lat", "lon") if not _text(body, name)), "")


def _lead_fault(body: Mapping[str, Any]) -> str:
    for name in _BOOLEANS:
        if name in body and body[name] not in ("true", "false"):
            return f'{name} must be "true" or "false"'
    for name, pattern in _DATES.items():
        if name in body and not _is_date(_text(body, name), pattern):
            return f"{name} is not a date as {pattern}"
    zone = _text(body, "timezone")
    return f"{zone} is no IANA time zone" if zone and zone not in available_timezones() else ""


def _is_date(text: str, pattern: str) -> bool:
    try:
        datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is a field of its own
    except ValueError:
        return False
    return True


def _derived(kind: str, value: str) -> str:
    """The same person gets the same id again, also from a sandbox that was started anew."""
    return hashlib.sha256(f"{kind}:{value.lower()}".encode()).hexdigest()
