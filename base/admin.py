"""Metrics, health and status, on an address of their own: loopback by default, never the open internet's."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from base.guard import guarded
from base.serving import Server, listen
from base.settings import AdminSettings
from base.tallies import Tallies

Answer = tuple[int, Mapping[str, Any]]


def _ready() -> Answer:
    return 200, {"status": "ready"}


def build_admin(
    registry: CollectorRegistry,
    status: Callable[[], Mapping[str, Any]],
    ready: Callable[[], Answer] = _ready,
    pages: Mapping[str, Callable[[], Mapping[str, Any]]] = MappingProxyType({}),
) -> Starlette:
    """`/metrics`, `/health/live`, `/health/ready` as `ready` answers (HTTP status, body), `/status` as `status` does,
    and each path of `pages` as that does."""

    def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def live(_request: Request) -> Response:
        return to_json(200, {"status": "live"})

    async def health(_request: Request) -> Response:
        return to_json(*ready())

    async def show(_request: Request) -> Response:
        return to_json(200, status())

    return Starlette(
        routes=[
            Route("/metrics", metrics),  # in a thread: summing many processes' files takes a while
            Route("/health/live", live),
            Route("/health/ready", health),
            Route("/status", show),
            *(Route(path, _page(tell)) for path, tell in pages.items()),
        ]
    )


def _page(tell: Callable[[], Mapping[str, Any]]) -> Callable[[Request], Response]:
    def page(_request: Request) -> Response:  # in a thread: it reads files
        return to_json(200, tell())

    return page


def to_json(status: int, body: Mapping[str, Any]) -> Response:
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(orjson.dumps(body, default=str), status, headers, media_type="application/json")


async def serve_admin(app: ASGIApp, listening: socket.socket) -> None:
    """Serves until it is cancelled."""
    await Server(app, drain_seconds=1).serve_until(asyncio.Event(), listening)


@asynccontextmanager
async def admin_beside(app: Starlette, settings: AdminSettings, default_port: int) -> AsyncIterator[None]:
    """Serves it while the context lasts. StartError when the address is taken."""
    port = default_port if settings.port is None else settings.port
    serving = asyncio.create_task(serve_admin(guarded(app, settings), listen(settings.host, port, "admin.port")))
    try:
        yield
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


def beside(port: int) -> int:
    """The admin port of a service on `port` whose settings name none."""
    return port + 1000 if port + 1000 < 65536 else port - 1000


def summed(own: CollectorRegistry, environ: Mapping[str, str]) -> CollectorRegistry:
    """What all processes have counted, where they count into one directory; else this process's own."""
    directory = environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not directory:
        return own
    return Tallies(Path(directory)).registry()
