"""Keeps a destination's delivery running: what ends it by a fault is told, and begun anew at the committed offsets."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

from eventlog.errors import LogError
from eventlog.log import EventLog
from eventlog.watched import WatchedReader
from forwarder.build import Surroundings, Target, build_delivery
from forwarder.delivery.status import Status, status_path
from forwarder.renewal import take_up

AGAIN_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 1.0
UNREAD_SECONDS: Final = 0.1  # between two looks whether the list of the erased was read


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
        except LogError as error:
            status.problem = str(error)
            around.log.warning("relay.interrupted", destination=name, error=str(error))
        except Exception as error:
            status.problem = f"{type(error).__name__}: {error}"
            around.log.exception("relay.failed", destination=name)
        with suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), again)


async def _deliver(target: Target, status: Status, log: EventLog, around: Surroundings, ending: asyncio.Event) -> None:
    """Nothing before the list of the erased was read once: it can't be while the log is away, and then nothing else can."""
    delivery = build_delivery(target, status, around)
    watching, renewing = delivery.watch.run(), take_up(target.renewal, delivery.relay.engine)
    beside = [asyncio.create_task(watching), asyncio.create_task(renewing)]
    try:
        while not around.erased.read and not ending.is_set():
            await around.clock.sleep(UNREAD_SECONDS)
        await delivery.forgetter.catch_up()
        beside.append(asyncio.create_task(delivery.forgetter.run()))
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
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        delivery.watch.show()
        await delivery.store.close(CLOSE_SECONDS)
        await delivery.transport.close()
