"""`ochn destinations`: each destination's state, what waits for it and for how long, and the way out where it stands still."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

from base.clock import SystemClock
from base.errors import UserError
from base.reasons import Trouble
from eventlog.event import Event, UnreadableEvent
from eventlog.log import LogScanner
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.log_access import open_log, run
from ochn.options import Config, DataDir, Json
from ochn.output import age, json_lines, table
from ochn.served import settings_of
from ochn.status import status_row

_COLUMNS: Final = (
    "destination",
    "state",
    "lag",
    "oldest",
    "in flight",
    "rate",
    "delivered",
    "filtered",
    "parked",
    "dead",
    "last success",
    "last failure",
)
_MOMENTS: Final = frozenset({"oldest", "last success", "last failure"})
_BY_ITSELF: Final = "it is tried again by itself, and nothing is lost meanwhile"
# What to do, by the state or by the reason for it.
_WAYS_OUT: Final[Mapping[str, str]] = {
    Trouble.CREDENTIALS: "mend its secret in the settings: it is taken within seconds, and nothing is lost meanwhile",
    Trouble.SAME_REFUSAL: "a setting is wrong, not the events: ochn dead-letters list says what the vendor answered",
    "unassigned": "its group is coming together, or another forwarder has all of it: what waits is in the lag",
    "stopped": "start it: ochn forwarder",
    "never ran": "start it: ochn forwarder",
    "switched off": "enabled = true in the settings; it goes on where it stood",
}


def destinations(config: Config = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """How every destination is, also while no forwarder runs. Counts are since its forwarder last started."""
    settings, now = settings_of(config, data_dir), SystemClock().now()
    try:
        behind, away = run(_behind(settings), settings), None
    except UserError as error:
        behind, away = {}, error
    rows = [
        {**status_row(settings, name), **behind.get(name, {}), **_way_out(settings, name)}
        for name in settings.destinations
    ]
    if as_json:
        json_lines(rows)
    else:
        _draw(rows, now)
    if away is not None:
        raise away


async def _behind(settings: Settings) -> dict[str, dict[str, Any]]:
    """{lag: events that its group has not committed past, oldest: when the first of them came (RFC 3339), or null}."""
    topics, scanner = Topics(settings.log.topic_prefix), await open_log(settings).open_scanner()
    bounds, told = await scanner.bounds(topics.events.name), {}
    for name in settings.destinations:
        committed = await scanner.committed(topics.group(name), topics.events.name)
        left = {number: (max(first, committed.get(number, first)), end) for number, (first, end) in bounds.items()}
        moments = [await _came(scanner, topics, number, first) for number, (first, end) in left.items() if first < end]
        oldest = min(filter(None, moments), default=None)
        told[name] = {"lag": sum(end - first for first, end in left.values()), "oldest": oldest}
    return told


async def _came(scanner: LogScanner, topics: Topics, partition: int, offset: int) -> str | None:
    async for record in scanner.scan(topics.events.name, ranges={partition: (offset, offset + 1)}):
        try:
            return Event.from_record(record).receivedtime
        except UnreadableEvent:
            return None
    return None


def _way_out(settings: Settings, name: str) -> dict[str, str]:
    row = status_row(settings, name)
    if row["state"] == "running":
        return {}
    return {"way_out": _WAYS_OUT.get(str(row.get("reason")), _WAYS_OUT.get(row["state"], _BY_ITSELF))}


def _draw(rows: list[dict[str, Any]], now: float) -> None:
    drawn = ([_shown(row, column, now) for column in _COLUMNS] for row in rows)
    table(_COLUMNS, drawn, empty="no [destinations.<name>] in the configuration: nothing is relayed")
    console = Console(highlight=False, soft_wrap=True)
    for row in rows:
        if "way_out" in row:
            why = ": ".join(filter(None, (row.get("reason"), row.get("detail"))))
            since = f" since {row['since']}" if row.get("since") and why else ""
            console.print(f"{row['destination']}: {row['state']}{since}{f', {why}' if why else ''}", markup=False)
            console.print(f"  {row['way_out']}", markup=False)
        if rules := row.get("filtered"):
            console.print(f"{row['destination']}: filtered {', '.join(f'{rule} {n}' for rule, n in rules.items())}")


def _shown(row: Mapping[str, Any], column: str, now: float) -> str:
    value = row.get(column.replace(" ", "_"))
    if column in _MOMENTS:
        return f"{age(str(value), now)} ago" if value else "-"
    if column == "filtered" and isinstance(value, Mapping):
        value = sum(value.values())
    if column == "rate" and value is not None:
        return f"{value:g}/s"
    return "-" if value is None else str(value)
