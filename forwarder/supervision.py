"""Keeps a destination's delivery running: what ends it by a fault is told, and begun anew at the committed offsets."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

from eventlog.log import EventLog
from eventlog.watched import WatchedReader
from forwarder.build import Surroundings, Target, build_delivery
from forwarder.renewal import take_up
from forwarder.status import Status, status_path

AGAIN_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 1.0


async def keep_delivering(
    target: Target, log: EventLog, around: Surroundings, ending: asyncio.Event, again: float = AGAIN_SECONDS
) -> None:
    """Until `ending`. A fault of one destination, or of the log for it, stops no other: it begins anew after `again`
    seconds."""
    name = target.destination.name
    status = Status(name, target.destination.kind, status_path(around.data_dir, name), around.clock)
    while not ending.is_set():
        try:
            await _deliver(target, status, log, around, ending)
        except Exception as error:
            status.problem = f"{type(error).__name__}: {error}"
            around.log.exception("relay.failed", destination=name)
            with suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), again)


async def _deliver(target: Target, status: Status, log: EventLog, around: Surroundings, ending: asyncio.Event) -> None:
    delivery = build_delivery(target, status, around)
    watching = asyncio.create_task(delivery.watch.run())
    renewing = asyncio.create_task(take_up(target.renewal, delivery.relay.engine))
    try:
        group, topic = around.topics.group(target.destination.name), around.topics.events.name
        reader = WatchedReader(
            topic,
            partial(log.open_reader, group, topic, target.options.log_start()),
            around.scanner,
            clock=around.clock,
            logger=around.log.bind(destination=target.destination.name),
            replaced=around.metrics.readers_replaced.labels(target.destination.name).inc,
        )
        status.problem = ""
        await delivery.relay.run(reader, ending, around.settings.drain_seconds)
    finally:
        watching.cancel()
        renewing.cancel()
        await asyncio.gather(watching, renewing, return_exceptions=True)
        delivery.watch.show()
        await delivery.store.close(CLOSE_SECONDS)
        await delivery.transport.close()
