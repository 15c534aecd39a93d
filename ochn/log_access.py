"""How commands reach the log: quietly, beside whatever runs, or with nothing running."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.errors import UserError
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.build import build_log
from eventlog.embedded import EmbeddedLog
from eventlog.errors import LogError
from eventlog.log import EventLog
from eventlog.topics import Topics
from ochn.config import Settings

T = TypeVar("T")
SECONDS = 60.0  # for a look at the log; Kafka may be far


class Unreachable(UserError):
    """The log can't be read now; the spool on this machine can."""


def open_log(settings: Settings) -> EventLog:
    topics = Topics(settings.log.topic_prefix).all(tuple(settings.destinations))
    metrics = log_metrics(CollectorRegistry())
    return build_log(settings.log, settings.data_dir, topics, SystemClock(), metrics, quiet_logger())


def open_spool(settings: Settings) -> EventLog | None:
    """What waits for Kafka on this machine; None where events go straight into files."""
    if settings.log.kind == "embedded":
        return None
    topics = Topics(settings.log.topic_prefix)
    here, kept = settings.data_dir / "spool", (topics.spool, topics.oversize)
    metrics, embedded = log_metrics(CollectorRegistry()), settings.log.embedded
    return EmbeddedLog(embedded, here, kept, clock=SystemClock(), metrics=metrics, logger=quiet_logger())


def run(work: Coroutine[Any, Any, T], settings: Settings, seconds: float | None = SECONDS) -> T:
    """Unreachable when it can't be read in time. `seconds` None: it takes as long as it takes."""

    async def within() -> T:
        async with asyncio.timeout(seconds):
            return await work

    try:
        return asyncio.run(within())
    except (LogError, TimeoutError) as error:
        why = str(error) or "it does not answer in time"
        if settings.log.kind == "kafka":
            way_out = "is it up, and `log.kafka.bootstrap` the right one? ochn spool status tells what waits for it"
        else:
            why, way_out = f"{settings.data_dir}: {why}", "is it the right one? --data-dir, --config"
        raise Unreachable(f"the log can't be read: {why}", way_out) from error
