"""`ochn quarantine`: list, show, replay; and what was too large for the log, or kept beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from base.clock import SystemClock
from base.errors import UserError
from base.reasons import Quarantine
from eventlog.event import Event, UnreadableEvent
from eventlog.spooled import unwrap
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.kept import Kept
from ochn.log_access import open_spool, run
from ochn.options import Config, DataDir, DryRun, EventId, Every, Json, Rate, Reason, Yes, one_of
from ochn.output import age, json_lines, pretty, table
from ochn.replaying.again import Asked, send_again
from ochn.replaying.leaving_out import without_erased
from ochn.replaying.preview import EVERY, Preview
from ochn.replaying.resending import Journal, Leaving
from ochn.served import settings_of


def quarantine_list(
    config: Config = None, data_dir: DataDir = None, as_json: Json = False, reason: Reason = None
) -> None:
    """What was quarantined, oldest first; then what stands beside the log: bodies too large for it, files of leads."""
    settings, now = settings_of(config, data_dir), SystemClock().now()
    one_of("reason", reason, Quarantine)
    found = run(_kept(settings).all(), settings)
    events = [event for event in found.values() if _has(event, reason)]
    beside = [] if reason else [*_files(settings.data_dir), *run(_refused_by_kafka(settings), settings)]
    if as_json:
        json_lines([*(event.to_dict() for event in events), *beside])
        return
    rows = ((event.id, age(event.receivedtime, now), _short(event.type), _reasons(event)) for event in events)
    empty = "no quarantined event is like that" if found else "nothing is quarantined"
    table(("event", "age", "type", "reasons"), rows, empty)
    if beside:
        kept = ((row["id"], row["kept"], str(row["bytes"])) for row in beside)
        table(("event", "kept beside the log", "bytes"), kept, empty="")


def quarantine_show(event_id: EventId, config: Config = None, data_dir: DataDir = None) -> None:
    """One quarantined event, whole; of one that was too large, where its whole body stands."""
    settings = settings_of(config, data_dir)
    for event in run(_kept(settings).find(event_id), settings).values():
        beside = [row for row in _files(settings.data_dir) if row["id"] == event.id]
        pretty({**event.to_dict(), "beside": beside} if beside else event.to_dict())


def quarantine_replay(
    event_id: Annotated[str, typer.Argument(help="The event's id, or how it begins.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    reason: Reason = None,
    every: Every = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    rate: Rate = None,
) -> None:
    """Relay events after all, as they are. They leave the quarantine. --reason: those held back for nothing else."""
    settings = settings_of(config, data_dir)
    kept = _kept(settings)
    one_of("reason", reason, Quarantine)
    if bool(event_id) == every:
        raise UserError("which ones?", f"name an event, or say --all; {kept.command} shows them")
    chosen = run(kept.find(event_id) if event_id else kept.all(), settings)
    asked = {key: event for key, event in chosen.items() if reason in (None, event.quarantinereasons)}
    found = without_erased(settings, asked, lambda event: event)
    preview, cut = Preview(), 0
    for event in found.values():
        preview.add(EVERY, event)
        cut += _has(event, Quarantine.EVENT_TOO_LARGE)
    if not preview.total:
        raise UserError(f"no {kept.what} is like that", f"{kept.command} shows them")
    if cut:
        said = f"{cut} were too large for the log: they go without what was cut out (ochn quarantine show)."
        Console(stderr=True, highlight=False).print(said, markup=False)
    topics = Topics(settings.log.topic_prefix)
    leaving = Leaving(
        topics.quarantine.name,
        list(found),
        again=lambda key, now: _cleared(found[key]).to_record(topics.events.name, now),
        named="{}:".format,  # for every destination
        clock=SystemClock(),
    )
    send_again(settings, Journal(settings.data_dir, "quarantine"), preview, leaving.steps, Asked(yes, dry_run, rate))


def _cleared(event: Event) -> Event:
    return event._replace(quarantinereasons=None, replayed=True)


def _files(data_dir: Path) -> Iterator[dict[str, Any]]:
    """{id, kept, bytes}: bodies of events that were too large for the log, and files that were cut out of leads."""
    for path in sorted([*data_dir.glob("oversize/*"), *data_dir.glob("files/*/*")]):
        kept = path.relative_to(data_dir)
        yield {"id": kept.parts[1], "kept": str(kept), "bytes": path.stat().st_size}


async def _refused_by_kafka(settings: Settings) -> list[dict[str, Any]]:
    """Records that Kafka takes nowhere for their size, kept in the spool's own topic."""
    spool, rows = open_spool(settings), list[dict[str, Any]]()
    if spool is None:
        return rows
    topic = Topics(settings.log.topic_prefix).oversize.name
    async for record in (await spool.open_scanner()).scan(topic):
        meant, value = unwrap(record).topic, record.value or b""
        rows.append({"id": _id_of(value, record.key), "kept": f"{topic}, meant for {meant}", "bytes": len(value)})
    return rows


def _id_of(value: bytes, key: bytes) -> str:
    try:
        return Event.from_bytes(value).id
    except UnreadableEvent:
        return key.decode(errors="replace")


def _kept(settings: Settings) -> Kept[Event]:
    topic = Topics(settings.log.topic_prefix).quarantine.name
    return Kept(settings, topic, Event.from_record, "quarantined event", "ochn quarantine list")


def _has(event: Event, reason: str | None) -> bool:
    return reason is None or reason in (event.quarantinereasons or "").split(",")


def _reasons(event: Event) -> str:
    return (event.quarantinereasons or "").replace(",", ", ")


def _short(name: str) -> str:
    return name.removeprefix("ochn.")
