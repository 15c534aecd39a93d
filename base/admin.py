"""Metrics, health and status, on an address of their own: loopback by default, never the open internet's."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from base.serving import Server

Answer = tuple[int, Mapping[str, Any]]


def _ready() -> Answer:
    return 200, {"status": "ready"}


def build_admin(
    registry: CollectorRegistry, status: Callable[[], Mapping[str, Any]], ready: Callable[[], Answer] = _ready
) -> Starlette:
    """`/metrics`, `/health/live`, `/health/ready` as `ready` answers (HTTP status, body), `/status` as `status` does."""

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
        ]
    )


def to_json(status: int, body: Mapping[str, Any]) -> Response:
    return Response(
        orjson.dumps(body, default=str), status, {"cache-control": "no-store"}, media_type="application/json"
    )


async def serve_admin(app: Starlette, listening: socket.socket) -> None:
    """Serves until it is cancelled."""
    server = Server(app, drain_seconds=1)
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        server.force_exit = True
        await serving
