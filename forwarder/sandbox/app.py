"""The vendors on one port, each under its name: read, decide, keep, answer. The order is the promise."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from base.clock import Clock, rfc3339
from base.ids import IdSource
from forwarder.sandbox.calls import Calls
from forwarder.sandbox.control import control_routes, nowhere
from forwarder.sandbox.delivery import Caller, deliver
from forwarder.sandbox.engagelab import EngageLab
from forwarder.sandbox.expertsender import ExpertSender
from forwarder.sandbox.faults import Fault, Faults
from forwarder.sandbox.footprints import Footprints
from forwarder.sandbox.netcore import Netcore
from forwarder.sandbox.ray import Ray
from forwarder.sandbox.tokens import YEAR
from forwarder.sandbox.vendor import Answer, Incoming, Vendor, decoded

VENDORS: Final = ("footprints", "netcore", "ray", "expertsender", "engagelab")
_BODY_LIMIT: Final = 64 * 1024 * 1024  # bytes


def build_sandbox(calls: Calls, clock: Clock, ids: IdSource, token_seconds: int = YEAR) -> Starlette:
    """`calls` is open, and stays so for as long as the app serves. `token_seconds`: how long tokens hold; RAY's at
    most an hour."""
    faults = Faults(clock, VENDORS)
    vendors: tuple[Vendor, ...] = (
        Footprints(ids, token_seconds),
        Netcore(),
        Ray(ids, token_seconds),
        ExpertSender(),
        EngageLab(),
    )
    doors = [Mount(f"/{vendor.name}", app=_Door(vendor, calls, faults, clock)) for vendor in vendors]
    return Starlette(routes=[*doors, *control_routes(calls, faults)], exception_handlers={404: nowhere})


class _Door:
    def __init__(self, vendor: Vendor, calls: Calls, faults: Faults, clock: Clock) -> None:
        self._vendor = vendor
        self._calls = calls
        self._faults = faults
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        if body is None:
            return  # half a call is none
        now = self._clock.now()
        call = _incoming(scope, body)
        fault = self._faults.take(self._vendor.name, call.path)
        seen, thrown = (call.body, 0) if fault is None else fault.leaves(call.body)
        answer = self._vendor.answer(replace(call, body=seen), now)
        if len(body) > _BODY_LIMIT:
            answer = Answer(413, self._vendor.failure("Too large"))
        elif fault is not None:
            answer = replace(fault.alters(answer, self._vendor), dropped=answer.dropped + thrown)
        await self._keep(call, answer, fault, now)
        await deliver(answer, fault, Caller(scope, receive, send), self._clock)

    async def _keep(self, call: Incoming, answer: Answer, fault: Fault | None, now: float) -> None:
        record: dict[str, Any] = {
            "at": rfc3339(now),
            "destination": self._vendor.name,
            "method": call.method,
            "path": call.path,
            "query": call.query,
            "headers": call.headers,
            "status": answer.status,
            "events": answer.events,
            "dropped": answer.dropped,
            "fault": None if fault is None else fault.fault,
            "body": call.body,
        }
        try:
            await self._calls.keep(record)
        except orjson.JSONEncodeError:
            await self._calls.keep({**record, "body": "nested deeper than can be kept"})


async def _whole_body(receive: Receive) -> bytes | None:
    """None when the caller went away in the middle. Beyond the limit no more is read."""
    chunks, size = [], 0
    while size <= _BODY_LIMIT:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _incoming(scope: Scope, body: bytes) -> Incoming:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = scope["path"].removeprefix(scope["root_path"])
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Incoming(scope["method"], path, query, headers, decoded(headers.get("content-type", ""), body))
