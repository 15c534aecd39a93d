"""`ochn status`: each destination's lag, last success, and why it stands still if it does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from base.clock import SystemClock
from base.errors import UserError
from base.process import is_running
from eventlog.topics import Topics
from forwarder.clock_watch import read_jump
from forwarder.delivery.status import read_status
from ochn.config import Settings
from ochn.log_access import open_log, run
from ochn.output import age, json_lines, span, table
from ochn.served import settings_of

_COLUMNS = ("destination", "state", "lag", "last success", "delivered", "filtered", "parked", "dead", "why")


def status(
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration file. Default: what served the data directory.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one line a destination.")] = False,
) -> None:
    """Where every destination stands. Counts are since its forwarder last started."""
    settings = settings_of(config, data_dir)
    try:
        lags, away = run(_lags(settings), settings), None
    except UserError as error:
        lags, away = {}, error
    rows = [{**status_row(settings, name), "lag": lags.get(name)} for name in settings.destinations]
    if as_json:
        json_lines(rows)
    else:
        now = SystemClock().now()
        drawn = ([_shown(row, column, now) for column in _COLUMNS] for row in rows)
        table(_COLUMNS, drawn, empty="no [destinations.<name>] in the configuration: nothing is relayed")
        if jump := read_jump(settings.data_dir):
            Console(highlight=False, soft_wrap=True).print(_told(jump), markup=False)
    if away is not None:
        raise away


async def _lags(settings: Settings) -> dict[str, int]:
    """Events that a destination's group has not committed past; a group that never committed has all before it."""
    topics = Topics(settings.log.topic_prefix)
    scanner = await open_log(settings).open_scanner()
    bounds = await scanner.bounds(topics.events.name)
    lags = {}
    for name in settings.destinations:
        committed = await scanner.committed(topics.group(name), topics.events.name)
        lags[name] = sum(
            end - max(first, committed.get(partition, first)) for partition, (first, end) in bounds.items()
        )
    return lags


def status_row(settings: Settings, name: str) -> dict[str, Any]:
    """What a destination's forwarder last told of it, and whether that one still runs."""
    row: dict[str, Any] = {"destination": name, "state": "never ran"}
    if told := read_status(settings.data_dir, name):
        row |= told | {"clock_jump": read_jump(settings.data_dir)}
        if not is_running(row["pid"]):
            row |= {
                "state": "stopped",
                "since": None,
                "reason": None,
                "detail": "no forwarder runs here",
                "partitions": [],
            }
    if not settings.destinations[name].enabled:
        row |= {"state": "switched off", "since": None, "reason": None, "detail": ""}
    return row


def _told(jump: Mapping[str, Any]) -> str:
    how = "ahead" if jump["seconds"] > 0 else "back"
    return (
        f"the wall clock was put {how} by {span(abs(jump['seconds']))} at {jump['at']}: moments shown may be off by it"
    )


def _shown(row: Mapping[str, Any], column: str, now: float) -> str:
    if column == "why":
        told = (row.get("reason"), row.get("detail"))
        return ": ".join(filter(None, told)) if row["state"] != "running" else ""
    value = row.get(column.replace(" ", "_"))
    if column == "filtered" and isinstance(value, Mapping):
        value = sum(value.values())
    if column == "last success" and value:
        return f"{age(str(value), now)} ago"
    return "-" if value is None else str(value)
