"""`ochn spool status`: what waits for Kafka, since when, and why."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console

from base.clock import SystemClock, rfc3339
from base.errors import UserError
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.build import build_spool, spool_dir
from eventlog.spool_state import shown
from eventlog.topics import Topics
from eventlog.waiting import too_large, waiting
from ochn.config import Settings
from ochn.log_access import run
from ochn.output import age, json_lines, table
from ochn.served import settings_of


def spool_status(
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration file. Default: what served the data directory.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """What waits for Kafka on this machine, and what each process that runs says of its breaker."""
    settings = settings_of(config, data_dir)
    if settings.log.kind != "kafka":
        raise UserError("there is no spool: the log is embedded", "--data-dir or --config name one that is on Kafka")
    report = run(_report(settings), settings)
    if as_json:
        json_lines([report])
        return
    now = SystemClock().now()
    table(
        ("topic", "waiting", "bytes", "oldest"),
        ([name, *_shown(topic, now)] for name, topic in report["topics"].items()),
        empty="nothing waits in the spool",
    )
    table(
        ("process", "breaker", "for", "drained", "a second", "why"),
        (_process(process, now) for process in report["processes"]),
        empty="no process that runs here writes to Kafka",
    )
    told = Console(highlight=False)
    told.print(f"free on its disk: {report['disk_free'] / 1e9:.1f} GB", markup=False)
    if report["too_large"]:
        told.print(f"too large for Kafka, kept here: {report['too_large']}", markup=False)


async def _report(settings: Settings) -> dict[str, Any]:
    topics, clock, here = Topics(settings.log.topic_prefix), SystemClock(), spool_dir(settings.data_dir)
    spool = build_spool(settings.log, settings.data_dir, clock, log_metrics(CollectorRegistry()), quiet_logger())
    found, processes = await waiting(spool, topics), shown(here)
    oldest = min((one.oldest for one in found.values()), default=None)
    return {
        "waiting": sum(one.records for one in found.values()),
        "bytes": sum(one.bytes for one in found.values()),
        "oldest": None if oldest is None else rfc3339(oldest),
        "topics": {
            name: {"waiting": one.records, "bytes": one.bytes, "oldest": rfc3339(one.oldest)}
            for name, one in sorted(found.items())
        },
        "drain_rate": sum(process["drain_rate"] for process in processes),
        "too_large": await too_large(spool, topics),
        "disk_free": shutil.disk_usage(here if here.is_dir() else settings.data_dir).free,
        "processes": processes,
    }


def _shown(topic: Mapping[str, Any], now: float) -> list[str]:
    return [str(topic["waiting"]), str(topic["bytes"]), f"{age(topic['oldest'], now)} ago"]


def _process(process: Mapping[str, Any], now: float) -> list[str]:
    told = (process["pid"], process["breaker"], age(process["since"], now), process["drained"], process["drain_rate"])
    return [*map(str, told), ": ".join(filter(None, (process["reason"], process["detail"])))]
