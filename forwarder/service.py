"""Builds a forwarder from its settings, and runs it until a signal ends it."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry

from base.admin import admin_beside, build_admin, summed
from base.clock import SystemClock
from base.ids import SystemIds
from base.logs import Logger, build_logger
from base.metrics import forwarder_metrics, log_metrics
from base.process import ending_at_signal
from eventlog.build import build_log
from eventlog.erased import follow
from eventlog.log import EventLog
from eventlog.topics import Topics
from forwarder.build import Surroundings, Target
from forwarder.clock_watch import ClockWatch
from forwarder.delivery.status import read_all
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from forwarder.reload import DestinationReload
from forwarder.renewal import Renewable
from forwarder.settings import ForwarderRoot
from forwarder.supervision import keep_delivering
from forwarder.transport import Transport
from forwarder.transport.httpx import HttpxTransport
from forwarder.transport.lean import LeanTransport

ADMIN_PORT: Final = 9081
YOUNG_OBJECTS: Final = 20_000  # that are looked through for cycles at a time: those of a window end with it, in none
CLOSE_SECONDS: Final = 0.5  # for the log to settle what the drain has left


@dataclass(frozen=True, slots=True)
class Forwarder:
    log: EventLog
    around: Surroundings
    destinations: Sequence[Destination]
    registry: CollectorRegistry
    logger: Logger


@asynccontextmanager
async def open_forwarder(settings: ForwarderRoot) -> AsyncIterator[Forwarder]:
    """Over an open log, which ends with the context. StartError when it can't open."""
    clock, registry = SystemClock(), CollectorRegistry()
    logger = build_logger(settings.logging, "forwarder")
    topics = Topics(settings.log.topic_prefix)
    metrics = log_metrics(registry)
    log = build_log(settings.log, settings.data_dir, topics.all(tuple(settings.destinations)), clock, metrics, logger)
    writer = await log.open_writer()
    try:
        around = Surroundings(
            settings=settings.forwarder,
            data_dir=settings.data_dir,
            topics=topics,
            writer=writer,
            scanner=await log.open_scanner(),
            clock=clock,
            ids=SystemIds(),
            metrics=forwarder_metrics(registry),
            log=logger,
            events_logged=settings.logging.events,
        )
        yield Forwarder(log, around, build_destinations(settings), registry, logger)
    finally:
        await writer.close(CLOSE_SECONDS)


async def run_forwarder(
    settings: ForwarderRoot,
    *,
    environ: Mapping[str, str] = os.environ,
    admin: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Relays until SIGTERM or SIGINT: then no new call is made, those in flight may end, what is settled is committed.

    `ready` is called once it runs. `admin`: with an admin address of its own (a supervised forwarder's metrics are its
    parent's to show).
    """
    ending = ending_at_signal()
    async with open_forwarder(settings) as forwarder, AsyncExitStack() as stack:
        if admin:
            pages = {"/destinations": partial(read_all, settings.data_dir, settings.destinations)}
            app = build_admin(summed(forwarder.registry, environ), lambda: _shown(forwarder), pages=pages)
            await stack.enter_async_context(admin_beside(app, settings.admin, ADMIN_PORT))
        running = [Renewable(destination) for destination in forwarder.destinations]
        reload = DestinationReload(settings, running, environ, forwarder.logger)
        reloading = asyncio.create_task(reload.watch(forwarder.around.clock))
        stack.callback(reloading.cancel)
        around = forwarder.around
        list_of_erased = around.topics.erased.name
        hearing = follow(around.erased, around.scanner, list_of_erased, around.clock, forwarder.logger)
        stack.callback(asyncio.create_task(hearing).cancel)
        watching = ClockWatch(data_dir=settings.data_dir, clock=around.clock, metrics=around.metrics, log=around.log)
        stack.callback(asyncio.create_task(watching.run()).cancel)
        gc.set_threshold(YOUNG_OBJECTS)
        ready()
        targets = [_target(destination, settings) for destination in running]
        relays = (keep_delivering(target, forwarder.log, forwarder.around, ending) for target in targets)
        await asyncio.gather(ending.wait(), *relays)
        forwarder.logger.info("drained")


def _target(destination: Renewable, settings: ForwarderRoot) -> Target:
    """A call's own cost counts where each event is a call (design.md, section 4: figures of both clients)."""
    options = settings.destinations[destination.name]

    def open_transport() -> Transport:
        one_a_call = destination.batch.events == 1
        return LeanTransport(options.concurrency) if one_a_call else HttpxTransport(options.concurrency)

    return Target(destination, options, open_transport, destination.renewal)


def _shown(forwarder: Forwarder) -> Mapping[str, Any]:
    return {"destinations": [destination.name for destination in forwarder.destinations]}
