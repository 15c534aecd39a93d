"""`ochn trace`: where is my event? At each destination: delivered, filtered, parked, dead, or waiting behind what."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from base.clock import SystemClock, from_rfc3339
from base.errors import UserError
from ochn.config import Settings
from ochn.log_access import Unreachable, run
from ochn.output import age, pretty, table
from ochn.served import settings_of
from ochn.times import moment
from ochn.tracing.copies import Wanted, by_client_id, by_id
from ochn.tracing.tracer import in_spool, open_tracer

WAITS: Final = 4  # exit codes
REFUSED: Final = 5
_COLUMNS: Final = ("destination", "outcome", "when", "why")


def trace(
    event_id: Annotated[
        str, typer.Argument(help="An event's id (X-Event-Id), or its first 13 characters; or a client's own `eid`.")
    ],
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration file. Default: what served the data directory.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
    since: Annotated[str, typer.Option(help="Of an `eid`: not before this (2026-11-21T00:00:00Z, or 3h).")] = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="Look through all that came later too: finds replays of a time window.")
    ] = False,
) -> None:
    """Where is my event? Exit code 0: through everywhere; 4: it waits somewhere; 5: quarantined, or dead somewhere;
    1: there is none."""
    settings, text = settings_of(config, data_dir), event_id.encode(errors="replace").decode()
    try:
        found = run(_trace(settings, text, since, whole=whole), settings)
    except Unreachable:
        spooled = run(_in_spool(settings, text, since), settings)
        if spooled is None:
            raise
        found = spooled
    if as_json:
        pretty(found)
    else:
        _draw(found)
    raise typer.Exit(exit_code(found))


async def _trace(settings: Settings, text: str, since: str, *, whole: bool) -> dict[str, Any]:
    tracer = await open_tracer(settings)
    for wanted in _wanted(text, since):
        if found := await tracer.trace(wanted, whole=whole):
            return found
    raise UserError(
        f"there is no event {text} in the log",
        "it was refused, its records have expired, or it is of another data directory (--data-dir)",
    )


async def _in_spool(settings: Settings, text: str, since: str) -> dict[str, Any] | None:
    for wanted in _wanted(text, since):
        if found := await in_spool(settings, wanted):
            return found
    return None


def _wanted(text: str, since: str) -> Iterator[Wanted]:
    """An id of ours; then a client's, of which that is none."""
    ours, earliest = by_id(text), moment(since, SystemClock().now()) if since else None
    if ours is not None:
        yield ours
    yield by_client_id(text, earliest, None if ours is None else ours.since)


def exit_code(found: Mapping[str, Any]) -> int:
    """What counts at a destination is the last record that is for it: a dead letter may have been sent again."""
    last = {row["destination"]: row["outcome"] for copy in found["copies"] for row in copy["destinations"]}
    held = found.get("quarantined", {"released": True})["released"] is None
    if held or (last.keys() and {"dead", "lost"} & set(last.values())):
        return REFUSED
    return WAITS if "spooled" in found or {"waiting", "parked"} & set(last.values()) else 0


def _draw(found: Mapping[str, Any]) -> None:
    console, event, now = Console(highlight=False, soft_wrap=True), found["event"], SystemClock().now()
    told = f", the client's {event['clienteventid']}" if "clienteventid" in event else ""
    console.print(f"event     {event['id']}, {event['type'].removeprefix('ochn.')}{told}", markup=False)
    ago = age(event["receivedtime"], now)
    console.print(
        f"received  {event['receivedtime']} ({ago} ago), {event['door']}, key {event['appkeyname']}", markup=False
    )
    console.print(f"visitor   {event['subject']}", markup=False)
    if "consent" in event:
        console.print(f"consent   {event['consent']}", markup=False)
    if "botrule" in event:
        console.print(f"bot       by the rule {event['botrule']}", markup=False)
    if kept := found.get("quarantined"):
        then = f"released {kept['released']}" if kept["released"] else f"ochn quarantine show {event['id']}"
        console.print(f"kept      in quarantine: {', '.join(kept['reasons'])}; {then}", markup=False)
    if "spooled" in found:
        console.print("spooled   on this machine's disk: Kafka is away, or the spool is being drained", markup=False)
    for copy in found["copies"]:
        _draw_copy(console, copy, event)


def _draw_copy(console: Console, copy: Mapping[str, Any], event: Mapping[str, Any]) -> None:
    place = f"{copy['topic']}/{copy['partition']} at {copy['offset']}"
    again = f"sent again to {copy['only']}, " if copy["only"] else ""
    console.print(f"logged    {again}{place}, {copy['logged']}", markup=False)
    rows = (
        (row["destination"], row["outcome"], _when(row, event), "; ".join(_why(row))) for row in copy["destinations"]
    )
    table(_COLUMNS, rows, empty="no [destinations.<name>] in the configuration: nothing is relayed")


def _when(row: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    if "at" not in row:
        return "-"
    took = from_rfc3339(row["at"]) - from_rfc3339(event["receivedtime"])
    return f"{row['at']} ({took:.1f} s after)"


def _why(row: Mapping[str, Any]) -> Iterator[str]:
    if row["outcome"] == "waiting":
        yield f"behind {row['behind']} of {row['lag']} events" if row["behind"] else "nothing is before it"
        if stuck := row.get("stuck"):
            yield f"the first of them is {stuck.get('id', stuck['offset'])}"
    reason = ": ".join(filter(None, (row.get("reason"), row.get("detail"))))
    if reason:
        yield reason
    if answer := row.get("answer"):
        yield f"answered {answer}"
    if row["outcome"] == "dead":
        yield f"attempts {row.get('attempts', 0)}"
        yield f"sent again {row['taken_back']}" if "taken_back" in row else "ochn dead-letters show tells all"
    yield from (f"{name.replace('_', ' ')} {row[name]}" for name in ("since", "next_try") if name in row)
    if row.get("late"):
        yield "late"
