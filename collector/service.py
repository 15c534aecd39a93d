"""Builds a collector from its settings, and runs it until a signal ends it."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from base.admin import admin_beside, beside, build_admin, summed
from base.clock import SystemClock
from base.ids import SystemIds
from base.logs import Logger, build_logger
from base.metrics import collector_metrics, log_metrics
from base.process import ending_at_signal
from base.serving import HttpProtocol, Server
from collector.admission import Admission
from collector.door.asgi import build_app
from collector.door.asgi_door import AsgiDoor
from collector.door.door import Door
from collector.door.health import Health
from collector.door.pass_through import open_pass_through
from collector.door.shim import DEFAULT_STATIC_DIR, find_scripts
from collector.intake import Intake, build_intake
from collector.protocol import build_protocol
from collector.reload import CollectorReload
from collector.settings import CollectorRoot
from collector.tidying import keep_tidy
from eventlog.build import build_log
from eventlog.topics import Topics

CLOSE_SECONDS: Final = 1.0  # for the log to settle what the drain has left


@dataclass(frozen=True, slots=True)
class Collector:
    """`protocol` speaks HTTP for `app` in our own server; another server brings its own."""

    app: Starlette
    protocol: HttpProtocol
    health: Health
    logger: Logger
    registry: CollectorRegistry

    def admin(self, environ: Mapping[str, str]) -> Starlette:
        return build_admin(summed(self.registry, environ), lambda: self.health.detail()[1], self.health.detail)


@asynccontextmanager
async def open_collector(
    settings: CollectorRoot, environ: Mapping[str, str], name: str, draining: Callable[[], bool] = lambda: False
) -> AsyncIterator[Collector]:
    """The application over an open log; both end with the context, the log last. StartError when the log can't open."""
    clock, ids, registry = SystemClock(), SystemIds(), CollectorRegistry()
    logger, metrics = build_logger(settings.logging, name), collector_metrics(registry)
    topics, limits = Topics(settings.log.topic_prefix), settings.collector.limits
    admission = Admission(limits.in_flight_requests, limits.in_flight_bytes, metrics.in_flight)
    counted, crowded = log_metrics(registry), admission.is_half_full
    log = build_log(settings.log, settings.data_dir, topics.all(()), clock, counted, logger, crowded=crowded)
    writer = await log.open_writer()
    live = CollectorReload(settings, environ, logger)
    tidying = keep_tidy(settings.data_dir, settings.collector.files_days, clock, metrics.files_deleted, logger)
    beside_it = [asyncio.create_task(live.watch(clock)), asyncio.create_task(tidying)]
    try:
        intake = build_intake(
            settings,
            writer,
            topics,
            keys=live.keys,
            bots=live.bots,
            admission=admission,
            clock=clock,
            ids=ids,
            metrics=metrics,
            logger=logger,
        )
        door = Door(intake, keys=live.keys, settings=settings.collector, clock=clock, ids=ids, metrics=metrics)
        health = Health(writer.state, draining)
        protocol = build_protocol(door, fast_lane=settings.collector.fast_lane)
        passing = open_pass_through(settings, log, keys=live.keys, refuse=intake.refuse, clock=clock, logger=logger)
        async with passing as ads:
            app = _app(settings, AsgiDoor(door, ads), intake, health, logger)
            yield Collector(app, protocol, health, logger, registry)
    finally:
        for task in beside_it:
            task.cancel()
        await writer.close(CLOSE_SECONDS)


def _app(settings: CollectorRoot, door: AsgiDoor, intake: Intake, health: Health, logger: Logger) -> Starlette:
    static_dir = settings.collector.static_dir or DEFAULT_STATIC_DIR
    scripts = find_scripts(static_dir, settings.collector.script_max_age, settings.collector.script_aliases)
    if not scripts:
        logger.warning("script.missing", folder=str(static_dir), detail="set collector.static_dir to serve it")
    return build_app(door, health, scripts, _demo_dir(settings, static_dir), intake.refuse)


def _demo_dir(settings: CollectorRoot, static_dir: Path) -> Path | None:
    demo_dir = static_dir / "demo"
    return demo_dir if settings.collector.demo and demo_dir.is_dir() else None


async def run_worker(
    settings: CollectorRoot,
    listening: socket.socket,
    *,
    environ: Mapping[str, str] = os.environ,
    name: str = "collector-0",
    admin: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serves on `listening` until SIGTERM or SIGINT: then nobody new is let in, who is in is answered, the log closed.

    `environ` is where the settings came from, and their keys come again. `ready` is called once it serves. `admin`:
    with an admin address of its own (a supervised worker's metrics are its parent's to show).
    """
    ending = ending_at_signal()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of every request that is not HTTP
    async with open_collector(settings, environ, name, draining=ending.is_set) as collector, AsyncExitStack() as stack:
        if admin:
            default_port = beside(listening.getsockname()[1])
            await stack.enter_async_context(admin_beside(collector.admin(environ), settings.admin, default_port))
        server = Server(collector.app, settings.collector.drain_seconds, ready, collector.protocol)
        await server.serve_until(ending, listening)
        collector.logger.info("drained")
