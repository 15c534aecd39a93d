"""RAY's interactions API as its pages describe it: every answer is a 200, the body says whether it is one.

A list with one faulty interaction is refused whole.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from base.ids import IdSource
from forwarder.sandbox.tokens import Tokens, basic
from forwarder.sandbox.vendor import Answer, Incoming, as_json

CLIENT_ID: Final = "sandbox-ray"
CLIENT_SECRET: Final = "sandbox-ray-secret"  # noqa: S105 - the sandbox's own, printed in its docs
USERNAME: Final = "sandbox-user"
PASSWORD: Final = "sandbox-password"  # noqa: S105 - as above
STORE: Final = "sandbox-store"
HOUR: Final = 3600  # seconds: the longest life of a token here

_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class Ray:
    name = "ray"

    def __init__(self, ids: IdSource, token_seconds: int = HOUR) -> None:
        self._tokens = Tokens(ids, CLIENT_SECRET, min(token_seconds, HOUR))

    def answer(self, call: Incoming, now: float) -> Answer:
        routes = {"/oauth/token": self._token, "/events/interaction": self._interaction}
        if call.path not in routes:
            return as_json(404, _body("Not Found", 404))
        if call.method != "POST":
            return Answer(405, orjson.dumps(_body("Method Not Allowed", 405)), {"allow": "POST"})
        return routes[call.path](call, now)

    def failure(self, message: str) -> bytes:
        return orjson.dumps(_body(message, 500))

    def _token(self, call: Incoming, now: float) -> Answer:
        if call.headers.get("authorization") != basic(CLIENT_ID, CLIENT_SECRET):
            return as_json(401, {"error": "unauthorized", "error_description": "Bad client credentials"})
        form = call.body if isinstance(call.body, dict) else {}
        told = (form.get("grant_type"), form.get("username"), form.get("password"))
        if told != ("password", USERNAME, PASSWORD):
            return as_json(400, {"error": "invalid_grant", "error_description": "Bad credentials"})
        life = {"expires_in": self._tokens.seconds, "scope": "read write"}
        return as_json(200, {"access_token": self._tokens.issue(now), "token_type": "bearer", **life})

    def _interaction(self, call: Incoming, now: float) -> Answer:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not self._tokens.holds(token, now):
            return as_json(200, _body("Invalid access token", 401))
        if fault := _list_fault(call.body):
            return as_json(200, _body(fault, 400))
        return as_json(200, _body("ok", 200), events=len(call.body))


def _body(message: str, status: int) -> dict[str, Any]:
    return {"message": message, "result": "success" if status == 200 else "error", "statusCode": status}


def _list_fault(body: Any) -> str:
    if not isinstance(body, list) or not body:
        return "A list of events was expected"
    return next((fault for item in body if (fault := _fault(item))), "")


def _fault(item: Any) -> str:
    if not isinstance(item, Mapping):
        return "An event is not an object"
    user = item.get("user")
    if not isinstance(user, Mapping) or not (user.get("email") or user.get("phone")):
        return "user.email or user.phone is required"
    good = {
        "type": isinstance(item.get("type"), str) and item["type"],
        "subType": isinstance(item.get("subType"), str) and item["subType"],
        "storeId": item.get("storeId") == STORE,
        "source": item.get("source") == "OTHER",
        "timestamp": _TIMESTAMP.fullmatch(str(item.get("timestamp"))),
        "customProps": isinstance(item.get("customProps"), Mapping),
        "user.gender": user.get("gender", "O") in ("M", "F", "O"),
        "user.country": _COUNTRY.fullmatch(str(user.get("country", "XX"))),
        "user.birthDate": "birthDate" not in user or _TIMESTAMP.fullmatch(str(user["birthDate"])),
    }
    return next((f"{name} is not valid" for name, holds in good.items() if not holds), "")
