"""ASGI in, ASGI out: a request becomes an Arrival, what the intake answers becomes a response."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from base.clock import Clock
from base.ids import IdSource
from base.metrics import CollectorMetrics
from base.reasons import Refusal
from collector.arrival import Arrival, Reply, Respond
from collector.body import Incoming
from collector.client import Proxies
from collector.cors import preflight
from collector.errors import BodyTooLarge, ClientGone
from collector.keys import Keys
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
        b"origin",
        b"sec-gpc",
        b"user-agent",
        b"x-forwarded-for",
        b"x-forwarded-proto",
    }
)
_ALLOW: Final = ("allow", ", ".join(TRACKING_METHODS))
_EVERY: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_JSON: Final = (b"content-type", b"application/json")


class Takes(Protocol):
    """What the door needs of the Intake."""

    def take(self, arrival: Arrival, respond: Respond) -> None: ...

    def refuse(self, reason: Refusal, /) -> Reply: ...


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
        self._limits = settings.limits
        self._proxies = Proxies(settings.trusted_proxies)
        self._clock = clock
        self._ids = ids
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._clock.monotonic()
        route, incoming = find_tracking(scope["path"]), Incoming(receive)
        try:
            reply = await self._reply(scope, incoming, route)
        except ClientGone:
            self._metrics.refused.labels(Refusal.CLIENT_GONE).inc()
            return
        except asyncio.CancelledError:
            # The drain has run out. The event may yet become durable: told to come again it is a duplicate, not a loss.
            reply, incoming.ended = self._closing(Refusal.DRAINING), True
        name = "other" if route is None else route.name
        self._metrics.requests.labels(name, str(reply.status)).inc()
        self._metrics.answer_seconds.labels(name).observe(self._clock.monotonic() - began)
        await write_reply(reply, send, incoming)

    async def _reply(self, scope: Scope, incoming: Incoming, route: TrackingRoute | None) -> Reply:
        received = self._clock.now()
        headers = _lift(scope)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await incoming.read(headers.get("content-length"), body_limit(route, self._limits))
        except BodyTooLarge:
            return self._closing(Refusal.TOO_LARGE)
        except TimeoutError:
            return self._closing(Refusal.SLOW_REQUEST)
        if route is None or scope["method"] not in ("POST", "PUT"):
            return self._untracked(scope, route, headers)
        return await self._taken(self._arrival(scope, headers, body, received))

    def _arrival(self, scope: Scope, headers: dict[str, str], body: bytes, received: float) -> Arrival:
        peer = scope["client"][0] if scope.get("client") else ""
        return Arrival(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            body=body,
            client=self._proxies.client(peer, headers.get("x-forwarded-for")),
            received=received,
            event_id=self._ids.event_id(received),
            query=scope["query_string"].decode("latin-1"),
            scheme=self._proxies.scheme(peer, scope["scheme"], headers.get("x-forwarded-proto")),
        )

    async def _taken(self, arrival: Arrival) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def respond(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self._intake.take(arrival, respond)
        return await answer

    def _untracked(self, scope: Scope, route: TrackingRoute | None, headers: dict[str, str]) -> Reply:
        ads = route is None and is_ad_serving(scope["path"])
        if scope["method"] == "OPTIONS" and (route is not None or ads):
            asked = headers.get("access-control-request-headers")
            return Reply(204, headers=(_ALLOW, *preflight(headers.get("origin"), asked, self._keys().origins())))
        if ads:
            return self._intake.refuse(Refusal.NOT_PASSED_THROUGH)
        if route is None:
            return self._intake.refuse(Refusal.NOT_FOUND)
        refused = self._intake.refuse(Refusal.WRONG_METHOD)
        return replace(refused, headers=(*refused.headers, _ALLOW))

    def _closing(self, reason: Refusal) -> Reply:
        return replace(self._intake.refuse(reason), close=True)


def _lift(scope: Scope) -> dict[str, str]:
    """Only what somebody reads; X-Forwarded-For may come in several headers, which are one list."""
    lifted: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in LIFTED:
            text = value.decode("latin-1")
            if name == b"x-forwarded-for" and "x-forwarded-for" in lifted:
                text = f"{lifted['x-forwarded-for']},{text}"
            lifted[name.decode("ascii")] = text
    return lifted


async def write_reply(reply: Reply, send: Send, incoming: Incoming) -> None:
    headers = [*_EVERY, *((name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers)]
    if reply.status != 204:
        headers += [_JSON, (b"content-length", b"%d" % len(reply.body))]
    if reply.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    lingers = reply.close and not incoming.ended
    await send({"type": "http.response.body", "body": reply.body, "more_body": lingers})
    if lingers:
        await incoming.linger()
        await send({"type": "http.response.body", "body": b""})
