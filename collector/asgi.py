"""The collector as one ASGI application: what each path is answered by."""

from collections.abc import Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from base.admin import to_json
from collector.health import Health
from collector.shim import Script


def build_app(door: ASGIApp, health: Health, scripts: Mapping[str, Script], demo_dir: Path | None) -> Starlette:
    """Health, `scripts` by path and the demo are routes; everything else is the door's, unknown paths included."""
    app = Starlette(
        routes=[*_health_routes(health), *_script_routes(scripts), *_demo_routes(demo_dir)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
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

    return [Route("/", to_demo), Route("/demo", to_demo), Mount("/demo", StaticFiles(directory=demo_dir, html=True))]


async def _refused(_request: Request, error: Exception) -> Response:
    """Wrong methods of the routes above, and files the demo does not have."""
    if not isinstance(error, HTTPException):
        return await _failed(_request, error)
    return _say(error.status_code, error.detail, error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _say(500, "This is our fault, and logged. The event was not taken: send it again.")


def _say(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    response = to_json(status, {"status": "error", "success": False, "message": message})
    response.headers.update(headers or {})
    return response
