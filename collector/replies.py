"""Decisions and refusals to answers, byte for byte as contracts.md, section 1, has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

from base.reasons import Quarantine, Refusal, Warned
from base.values import NOTHING, Value
from collector.arrival import Arrival, HeaderList, Reply
from collector.calls import Call
from collector.cors import origin_headers
from collector.judging.decide import Decision
from collector.judging.identity import Identity
from collector.judging.judge import Verdict
from collector.judging.keys import AppKey
from collector.judging.lead_cookie import COOKIE as LEAD_COOKIE
from collector.judging.lead_cookie import open_lead, seal_lead
from collector.judging.visitor import COOKIE as VISITOR_COOKIE
from eventlog.event import Event

_WITH_COOKIE: Final = frozenset({"ochn.web.init", "ochn.web.register"})  # events of browsers that keep something of it
RETRY_AFTER: Final = ("retry-after", "2")

STATUS: Final = {
    Refusal.UNREADABLE_BODY: 400,
    Refusal.NOT_HTTP: 400,
    Refusal.UNKNOWN_KEY: 403,
    Refusal.NOT_FOUND: 404,
    Refusal.WRONG_METHOD: 405,
    Refusal.TOO_LARGE: 413,
    Refusal.URL_TOO_LONG: 414,
    Refusal.HEADERS_TOO_LARGE: 431,
    Refusal.UNSUPPORTED_MEDIA: 415,
    Refusal.SLOW_REQUEST: 408,
    Refusal.RATE: 429,
    Refusal.BAD_KEYS: 429,
    Refusal.OVERLOADED: 503,
    Refusal.NOT_DURABLE: 503,
    Refusal.DRAINING: 503,
    Refusal.NOT_PASSED_THROUGH: 404,
    Refusal.UPSTREAM_LATE: 504,
    Refusal.UPSTREAM_FAILED: 502,
    Refusal.CLIENT_GONE: 499,
}
_WHAT_TO_DO: Final = {
    Refusal.UNREADABLE_BODY: "The body can't be read: send a form or a JSON object, as its Content-Type says.",
    Refusal.NOT_HTTP: "This is no HTTP/1.1 request.",
    Refusal.UNKNOWN_KEY: "No app key came, or one that is unknown here: send yours as `appkey` in the body or as the header `appKey`.",
    Refusal.NOT_FOUND: "Nothing is served at this path: see the tracking calls under /jsapi and /mobileapi.",
    Refusal.WRONG_METHOD: "Send this call with POST or PUT.",
    Refusal.TOO_LARGE: "The request is too large: send less in one call.",
    Refusal.URL_TOO_LONG: "The URL is too long: send what it says in the body.",
    Refusal.HEADERS_TOO_LARGE: "The headers are too large, or too many: send fewer, and smaller cookies.",
    Refusal.UNSUPPORTED_MEDIA: "Send application/x-www-form-urlencoded, application/json or multipart/form-data.",
    Refusal.SLOW_REQUEST: "The request took too long to arrive: send it again.",
    Refusal.RATE: "Too many requests: wait as Retry-After says and send it again.",
    Refusal.BAD_KEYS: "Too many calls without a known app key: mend it, and wait as Retry-After says.",
    Refusal.OVERLOADED: "Too much is under way: wait as Retry-After says and send it again.",
    Refusal.NOT_DURABLE: "It could not be stored: wait as Retry-After says and send it again.",
    Refusal.DRAINING: "This server is stopping: send it again.",
    Refusal.NOT_PASSED_THROUGH: "Ad serving is the vendor's: no upstream is configured to pass this call on to.",
    Refusal.UPSTREAM_LATE: "The vendor has not answered in time: try again later.",
    Refusal.UPSTREAM_FAILED: "The vendor gave no answer that can be passed on: try again later.",
    Refusal.CLIENT_GONE: "The connection ended before the request did.",
}
_ANSWERS: Final[dict[tuple[str, str], Mapping[str, Any]]] = {
    ("web", "init"): {"status": "ok", "success": True},
    ("web", "send"): {},
    ("web", "register"): {"status": "ok", "message": "Thank you, we have received your details."},
    ("mobile", "init"): {"status": "ok", "success": True},
    ("mobile", "send"): {"success": True, "message": "Track saved"},
    ("mobile", "sensors"): {"success": True},
    ("mobile", "geo"): {"success": True},
}


def refusal_reply(refusal: Refusal, message: str = "", headers: HeaderList = ()) -> Reply:
    status = STATUS[refusal]
    body = {
        "status": "error",
        "success": False,
        "message": message or _WHAT_TO_DO[refusal],
        "reason": refusal,
    }
    retry = (RETRY_AFTER,) if status in (429, 503) else ()
    return Reply(status, orjson.dumps(body), (*headers, *retry))


class Asker(Value, frozen=True):
    """What an answer needs to know of its request."""

    call: Call
    tenant: str
    cors: HeaderList
    secure: bool  # the visitor came by https


def asker_of(decision: Decision) -> Asker:
    arrival, key = decision.arrival, decision.envelope.key
    return Asker(decision.call, key.tenant, _cors(arrival, key), arrival.scheme == "https")


class Told(Value, frozen=True):
    """What is said of one event: `body` beside what all answers of its call say."""

    id: str
    eid: str | None
    reasons: tuple[Quarantine, ...]
    body: Mapping[str, Any]
    cookies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """`cookie_seconds` 0: no cookies; `warnings`: answers say in sentences what the page's author should mend."""

    identity: Identity
    cookie_seconds: int
    warnings: bool

    def told(self, asker: Asker, verdict: Verdict) -> Told:
        """What an event's author is answered once it is durable."""
        event, reasons = verdict.event, verdict.reasons
        told: Mapping[str, Any] = verdict.answer
        if self.warnings and verdict.remarks:
            told = {**told, **_warnings(verdict)}
        asks = event.type in _WITH_COOKIE and self.cookie_seconds and asker.call.surface == "web" and not reasons
        return Told(event.id, event.clienteventid, reasons, told, self._cookies(asker, event) if asks else NOTHING)

    def reply(self, asker: Asker, told: Sequence[Told], durable: Sequence[bool]) -> Reply:
        """At least one is durable."""
        return _many(asker, told, durable) if asker.call.kind == "batch" else _one(asker, told[0])

    def own_lead(self, decision: Decision) -> Reply:
        """What this browser registered itself, unless the page asks for somebody else's e-mail."""
        envelope = decision.envelope
        lead = open_lead(envelope.cookies.get(LEAD_COOKIE, ""), envelope.key.tenant, self.identity)
        asked = decision.fields.get("email")
        if envelope.event.originverdict == "denied" or (asked and asked != lead.get("userEmail")):
            lead = {}
        return Reply(200, orjson.dumps({"status": "ok", "data": lead}), _cors(decision.arrival, envelope.key))

    def _cookies(self, asker: Asker, event: Event) -> dict[str, str]:
        """By name."""
        traits = f"Path=/; Max-Age={self.cookie_seconds}; SameSite=Lax{'; Secure' if asker.secure else ''}"
        if event.type == "ochn.web.init":
            # The page's script reads it: no HttpOnly.
            return {VISITOR_COOKIE: f"{VISITOR_COOKIE}={quote(event.subject, safe='')}; {traits}"}
        sealed = seal_lead(event.data["lead"], asker.tenant, self.identity)
        return {LEAD_COOKIE: f"{LEAD_COOKIE}={sealed}; {traits}; HttpOnly"} if sealed else {}


def _warnings(verdict: Verdict) -> dict[str, list[str]]:
    """What the page's author should mend; an id that the vendor once issued is noted, and nothing to mend."""
    told = [remark.sentence() for remark in verdict.remarks if remark.code is not Warned.FOREIGN_ID]
    return {"warnings": told} if told else {}


def _one(asker: Asker, told: Told) -> Reply:
    body = _ANSWERS[asker.call.surface, asker.call.kind]
    if told.body:
        body = {**body, **told.body}
    headers = (("x-event-id", told.id), ("x-event-status", _status(told.reasons)), *asker.cors)
    if told.cookies:
        headers = (*headers, *_set(told.cookies))
    return Reply(200, orjson.dumps(body), headers)


def _many(asker: Asker, told: Sequence[Told], durable: Sequence[bool]) -> Reply:
    """A verdict each, in the order they came. Of several cookies of one name the last stands."""
    results = [_result(each, stored=stored) for each, stored in zip(told, durable, strict=True)]
    cookies: dict[str, str] = {}
    for each, stored in zip(told, durable, strict=True):
        if stored and each.cookies:
            cookies |= each.cookies
    body = {"status": "ok", "success": True, "results": results}
    return Reply(200, orjson.dumps(body), (*asker.cors, *_set(cookies)))


def _result(told: Told, *, stored: bool) -> dict[str, Any]:
    """`retry`: this one is not stored, send it again."""
    result: dict[str, Any] = {"eid": told.eid} if told.eid else {}
    result["id"] = told.id
    if not stored:
        return {**result, "status": "retry"}
    if told.reasons:
        result |= {"status": "quarantined", "reason": ",".join(told.reasons)}
    else:
        result["status"] = "accepted"
    return {**result, **told.body} if told.body else result


def _set(cookies: Mapping[str, str]) -> HeaderList:
    return tuple(("set-cookie", cookie) for cookie in cookies.values())


def _status(reasons: Sequence[Quarantine]) -> str:
    return f"quarantined; reason={','.join(reasons)}" if reasons else "accepted"


def _cors(arrival: Arrival, key: AppKey) -> HeaderList:
    return origin_headers(arrival.headers.get("origin"), key)
