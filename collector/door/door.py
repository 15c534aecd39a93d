"""What a request meets, whichever way it came in: its limits, the intake, or a plain answer.

collector/door/asgi_door.py is the way of any ASGI server, collector/protocol/ the fast one; both give what this gives.
"""

import logging
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final, Protocol

import orjson

from base.clock import Clock
from base.ids import IdSource
from base.metrics import CollectorMetrics, Counts
from base.reasons import Refusal
from base.values import Value
from collector.arrival import Arrival, HeaderList, Reply, Respond
from collector.cors import preflight
from collector.door.client import Proxies
from collector.judging.keys import Keys
from collector.limits import Arriving
from collector.routes import TRACKING_METHODS, TrackingRoute, body_limit, find_tracking, is_ad_serving
from collector.settings import CollectorSettings

LIFTED: Final = frozenset(
    {
        b"access-control-request-headers",
        b"appkey",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"cookie",
        b"dnt",
        b"expect",
        b"origin",
        b"purpose",
        b"sec-gpc",
        b"sec-purpose",
        b"user-agent",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-moz",
        b"x-purpose",
    }
)
_NAMES: Final = {name: name.decode() for name in LIFTED}
_ALLOW: Final = ("allow", ", ".join(TRACKING_METHODS))
_EVERY: Final = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
_CLOSE: Final = ("connection", "close")
_FAILED: Final = "This is our fault, and logged. The event was not taken: send it again."


class Takes(Protocol):
    """What the door needs of the Intake."""

    def take(self, arrival: Arrival, respond: Respond) -> None: ...

    def refuse(self, reason: Refusal, /) -> Reply: ...


class Head(Value, frozen=True):
    """A request before its body. `peer` is the connection's other end; `began` is the monotonic clock's."""

    method: str
    path: str
    query: str
    peer: str
    scheme: str
    headers: dict[str, str]
    route: TrackingRoute | None
    limit: int  # of its body, in bytes
    received: float
    began: float


class Door:
    """The tracking calls, and a plain answer for every path nobody else has."""

    def __init__(
        self,
        intake: Takes,
        *,
        keys: Callable[[], Keys],
        settings: CollectorSettings,
        clock: Clock,
        ids: IdSource,
        metrics: CollectorMetrics,
    ) -> None:
        self._intake = intake
        self._keys = keys
        self.limits = settings.limits
        self.arriving = Arriving(settings.limits.arriving_bytes)
        self._proxies = Proxies(settings.trusted_proxies)
        self._clock = clock
        self._ids = ids
        self._metrics = metrics
        self._requests = Counts(metrics.requests)
        self._answer_seconds = cache(metrics.answer_seconds.labels)  # routes are few, and looked up slowly
        self._logger = logging.getLogger(__name__)

    def enter(self, method: str, path: str, query: str, headers: dict[str, str], *, peer: str, scheme: str) -> Head:
        """At the end of the head; `headers` as `lift` gives them, `path` decoded and without the query."""
        route = find_tracking(path)
        limit = body_limit(route, self.limits)
        received, began = self._clock.now(), self._clock.monotonic()
        return Head(method, path, query, peer, scheme, headers, route, limit, received, began)

    def take(self, head: Head, body: bytes, respond: Respond) -> None:
        """The whole request; `respond` is called once, now or later, whatever goes wrong."""
        try:
            if head.route is None or head.method not in ("POST", "PUT"):
                respond(self._untracked(head))
            else:
                self._intake.take(self.arrival(head, body), respond)
        except Exception:
            self._logger.exception("a request failed")
            respond(Reply(500, orjson.dumps({"status": "error", "success": False, "message": _FAILED})))

    def refuse(self, reason: Refusal) -> Reply:
        """Before the whole request has come: the connection ends with it."""
        return self._intake.refuse(reason)._replace(close=True)

    def gone(self) -> None:
        """The client left before its request was whole."""
        self._metrics.refused.labels(Refusal.CLIENT_GONE).inc()

    def answered(self, head: Head | None, status: int) -> None:
        """`head` None: what came was no request."""
        name = "other" if head is None or head.route is None else head.route.name
        self._requests.add(name, str(status))
        if head is not None:
            self._answer_seconds(name).observe(self._clock.monotonic() - head.began)

    def arrival(self, head: Head, body: bytes) -> Arrival:
        headers = head.headers
        return Arrival(
            method=head.method,
            path=head.path,
            headers=headers,
            body=body,
            client=self._proxies.client(head.peer, headers.get("x-forwarded-for")),
            received=head.received,
            event_id=self._ids.event_id(head.received),
            query=head.query,
            scheme=self._proxies.scheme(head.peer, head.scheme, headers.get("x-forwarded-proto")),
        )

    def _untracked(self, head: Head) -> Reply:
        ads = head.route is None and is_ad_serving(head.path)
        if head.method == "OPTIONS" and (head.route is not None or ads):
            asked = head.headers.get("access-control-request-headers")
            allowed = preflight(head.headers.get("origin"), asked, self._keys().origins())
            return Reply(204, headers=(_ALLOW, *allowed))
        if ads:
            return self._intake.refuse(Refusal.NOT_PASSED_THROUGH)
        if head.route is None:
            return self._intake.refuse(Refusal.NOT_FOUND)
        refused = self._intake.refuse(Refusal.WRONG_METHOD)
        return refused._replace(headers=(*refused.headers, _ALLOW))


def lift(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Only what somebody reads; X-Forwarded-For may come in several headers, which are one list."""
    lifted: dict[str, str] = {}
    for name, value in headers:
        if name in LIFTED:
            text = value.decode("latin-1")
            if name == b"x-forwarded-for" and "x-forwarded-for" in lifted:
                text = f"{lifted['x-forwarded-for']},{text}"
            lifted[_NAMES[name]] = text
    return lifted


def announces_too_much(head: Head) -> bool:
    """By Content-Length; what announces nothing is counted while it comes."""
    declared = head.headers.get("content-length")
    return declared is not None and (not declared.isdecimal() or int(declared[:20]) > head.limit)


def headers_of(reply: Reply) -> HeaderList:
    """All that the answer says of itself."""
    headers = (*_EVERY, *reply.headers)
    if reply.status != 204:
        headers = (*headers, ("content-type", reply.content_type), ("content-length", str(len(reply.body))))
    return (*headers, _CLOSE) if reply.close else headers
