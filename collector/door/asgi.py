"""The collector as one ASGI application: what each path is answered by."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from base.admin import to_json
from base.reasons import Refusal
from collector.arrival import Reply
from collector.door.door import headers_of
from collector.door.health import Health
from collector.door.shim import Script
from collector.replies import refusal_reply

# Of the routes here, and of files that the demo does not have.
_REFUSED: Final = {404: (Refusal.NOT_FOUND, ""), 405: (Refusal.WRONG_METHOD, "This is only to be read: ask with GET.")}


def build_app(
    door: ASGIApp,
    health: Health,
    scripts: Mapping[str, Script],
    demo_dir: Path | None,
    refuse: Callable[..., Reply] = refusal_reply,
) -> Starlette:
    """Health, `scripts` by path and the demo are routes; everything else is the door's, unknown paths included.

    `refuse(refusal, message=…)` makes the answer to a wrong method of theirs, and counts it where somebody counts.
    """

    async def refused(_request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException) or error.status_code not in _REFUSED:
            return await _failed(_request, error)
        refusal, message = _REFUSED[error.status_code]
        reply = refuse(refusal, message=message)
        return Response(reply.body, reply.status, {**dict(headers_of(reply)), **(error.headers or {})})

    app = Starlette(
        routes=[*_health_routes(health), *_script_routes(scripts), *_demo_routes(demo_dir)],
        exception_handlers={HTTPException: refused, Exception: _failed},
    )
    app.router.redirect_slashes = False
    app.router.default = door
    return app


def _health_routes(health: Health) -> list[BaseRoute]:
    async def live(_request: Request) -> Response:
        return to_json(200, {"status": "live"})

    async def ready(_request: Request) -> Response:
        return to_json(*health.ready())

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _script_routes(scripts: Mapping[str, Script]) -> list[BaseRoute]:
    return [Route(path, script.answer) for path, script in scripts.items()]


def _demo_routes(demo_dir: Path | None) -> list[BaseRoute]:
    if demo_dir is None:
        return []

    async def to_demo(_request: Request) -> Response:
        return RedirectResponse("/demo/")

    return [Route("/", to_demo), Route("/demo", to_demo), Mount("/demo", _Files(directory=demo_dir, html=True))]


class _Files(StaticFiles):
    """Each is what its type says it is."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        response = super().file_response(*given, **named)
        response.headers["x-content-type-options"] = "nosniff"
        return response


async def _failed(_request: Request, _error: Exception) -> Response:
    message = "This is our fault, and logged. The event was not taken: send it again."
    return to_json(500, {"status": "error", "success": False, "message": message})
