"""`/_sandbox/…`: what arrived, how much, and the faults to come. And `/`, the page that shows it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from forwarder.sandbox.calls import Calls
from forwarder.sandbox.faults import KINDS, Faults, UnknownFault

_PAGE: Final = Path(__file__).with_name("page.html")
_MOST: Final = 100_000  # calls in one answer

Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(calls: Calls, faults: Faults) -> list[Route]:
    return [
        Route("/", _page, methods=["GET"]),
        Route("/_sandbox/received", _received(calls), methods=["GET"]),
        Route("/_sandbox/counts", _counts(calls), methods=["GET"]),
        Route("/_sandbox/faults", _faults(faults), methods=["GET", "POST", "DELETE"]),
    ]


async def _page(_request: Request) -> Response:
    return Response(_PAGE.read_bytes(), media_type="text/html")


def _received(calls: Calls) -> Endpoint:
    async def received(request: Request) -> Response:
        """`[{"n", "at", "destination", "method", "path", "headers", "status", "body", …}]` with n > `after`."""
        destination, known = request.query_params.get("destination", ""), calls.counts()
        if destination not in known:
            return _refusal(f"no such destination: {destination}; there are {', '.join(known)}")
        try:
            after, limit = (int(request.query_params.get(name, default)) for name, default in _PAGING)
        except ValueError:
            return _refusal("after and limit are whole numbers")
        content = calls.received(destination, max(0, after), min(max(0, limit), _MOST))
        return Response(content, media_type="application/json")

    return received


_PAGING: Final = (("after", "0"), ("limit", str(_MOST)))


def _counts(calls: Calls) -> Endpoint:
    async def counts(_request: Request) -> Response:
        return _json(calls.counts())

    return counts


def _faults(faults: Faults) -> Endpoint:
    async def answer(request: Request) -> Response:
        if request.method == "DELETE":
            faults.clear()
        elif request.method == "POST":
            try:
                faults.add(orjson.loads(await request.body()))
            except (UnknownFault, orjson.JSONDecodeError) as error:
                return _refusal(str(error))
        return _json({"active": faults.listed(), "kinds": KINDS})

    return answer


async def nowhere(request: Request, _error: Exception) -> Response:
    names = ", ".join(route.path for route in request.app.routes if isinstance(route, Mount))
    return _refusal(f"nothing at {request.url.path}: each vendor's API stands below {names}", 404)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def _refusal(message: str, status: int = 400) -> Response:
    return _json({"status": "error", "message": message}, status)
