"""`ochn quarantine` and `ochn dead-letters`: list, show, replay."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from base.clock import SystemClock
from base.errors import UserError
from eventlog.event import Event
from eventlog.log import Record
from eventlog.topics import Topics
from forwarder.dead_letters import DeadLetter, NotReplayable
from ochn.config import Settings
from ochn.kept import Kept
from ochn.log_access import open_log, run
from ochn.output import age, json_lines, pretty, table
from ochn.served import settings_of

T = TypeVar("T")
Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file. Default: what served the data directory.")
]
DataDir = Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
EventId = Annotated[str, typer.Argument(help="The event's id, or how it begins.")]
Destination = Annotated[str | None, typer.Option(help="Only this destination's.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Reason = Annotated[str | None, typer.Option(help="Only those for this reason.")]


def quarantine_list(
    config: Config = None, data_dir: DataDir = None, as_json: Json = False, reason: Reason = None
) -> None:
    """What was quarantined, oldest first."""
    settings = settings_of(config, data_dir)
    events = [event for event in run(_quarantine(settings).all(), settings).values() if _has(event, reason)]
    if as_json:
        json_lines(event.to_dict() for event in events)
        return
    now = SystemClock().now()
    rows = ((event.id, age(event.receivedtime, now), _short(event.type), _reasons(event)) for event in events)
    table(("event", "age", "type", "reasons"), rows, empty="nothing is quarantined")


def quarantine_show(event_id: EventId, config: Config = None, data_dir: DataDir = None) -> None:
    """One quarantined event, whole."""
    settings = settings_of(config, data_dir)
    for event in run(_quarantine(settings).find(event_id), settings).values():
        pretty(event.to_dict())


def quarantine_replay(
    event_id: Annotated[str, typer.Argument(help="The event's id, or how it begins.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    reason: Reason = None,
    every: Every = False,
) -> None:
    """Relay an event after all, as it is. It leaves the quarantine. --reason: those held back for nothing else."""
    settings = settings_of(config, data_dir)
    kept = _quarantine(settings)
    chosen = _chosen(kept, settings, event_id, every)
    found = {key: event for key, event in chosen.items() if reason in (None, event.quarantinereasons)}
    topics, now = Topics(settings.log.topic_prefix), SystemClock().now()
    cleared = (event._replace(quarantinereasons=None, replayed=True) for event in found.values())
    _replace(kept, settings, [event.to_record(topics.events.name, now) for event in cleared], list(found))


def dead_list(
    config: Config = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    destination: Destination = None,
    reason: Reason = None,
) -> None:
    """What destinations refused for good, oldest first."""
    settings = settings_of(config, data_dir)
    letters = _wanted(run(_dead(settings).all(), settings), destination, reason).values()
    if as_json:
        json_lines(map(asdict, letters))
        return
    now = SystemClock().now()
    rows = (
        (letter.id, age(letter.at, now), letter.destination, _type(letter), f"{letter.reason}: {letter.detail}")
        for letter in letters
    )
    table(("event", "age", "destination", "type", "why"), rows, empty="there are no dead letters")


def dead_show(
    event_id: EventId, config: Config = None, data_dir: DataDir = None, destination: Destination = None
) -> None:
    """One dead letter: the event, the exact request with secrets masked, the reply."""
    settings = settings_of(config, data_dir)
    for letter in _wanted(run(_dead(settings).find(event_id), settings), destination, None).values():
        pretty(asdict(letter))


def dead_replay(
    event_id: Annotated[str, typer.Argument(help="The event's id, or how it begins.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    destination: Destination = None,
    reason: Reason = None,
    every: Every = False,
) -> None:
    """Send an event again to the destination that refused it, and to no other. It leaves the dead letters."""
    settings = settings_of(config, data_dir)
    kept = _dead(settings)
    found = _wanted(_chosen(kept, settings, event_id, every), destination, reason)
    topics, now = Topics(settings.log.topic_prefix), SystemClock().now()
    try:
        records = [letter.replay(topics.events.name, now) for letter in found.values()]
    except NotReplayable as error:
        raise UserError(str(error), "leave it out: --reason chooses others") from error
    _replace(kept, settings, records, list(found))
    if any(settings.destinations[letter.destination].kind == "footprints" for letter in found.values()):
        Console(stderr=True).print("Footprints takes no time with an event: it will be dated now there.")


def _quarantine(settings: Settings) -> Kept[Event]:
    topic = Topics(settings.log.topic_prefix).quarantine.name
    return Kept(open_log(settings), topic, Event.from_record, "quarantined event", "ochn quarantine list")


def _dead(settings: Settings) -> Kept[DeadLetter]:
    topic = Topics(settings.log.topic_prefix).dead_letters.name

    def decode(record: Any) -> DeadLetter:
        return DeadLetter.from_bytes(record.value or b"")

    return Kept(open_log(settings), topic, decode, "dead letter", "ochn dead-letters list")


def _chosen(kept: Kept[T], settings: Settings, event_id: str, every: bool) -> dict[str, T]:
    if bool(event_id) == every:
        raise UserError("which one?", f"name an event, or say --all; {kept.command} shows them")
    return run(kept.find(event_id) if event_id else kept.all(), settings)


def _replace(kept: Kept[Any], settings: Settings, records: list[Record], erased: list[str]) -> None:
    if not records:
        raise UserError(f"no {kept.what} is like that", f"{kept.command} shows them")
    run(kept.replace(records, erased), settings)
    Console(highlight=False).print(f"replayed {len(records)}: ochn status shows when they are through")


def _wanted(letters: Mapping[str, DeadLetter], destination: str | None, reason: str | None) -> dict[str, DeadLetter]:
    return {
        key: letter
        for key, letter in letters.items()
        if destination in (None, letter.destination) and reason in (None, letter.reason)
    }


def _has(event: Event, reason: str | None) -> bool:
    return reason is None or reason in (event.quarantinereasons or "").split(",")


def _reasons(event: Event) -> str:
    return (event.quarantinereasons or "").replace(",", ", ")


def _type(letter: DeadLetter) -> str:
    return _short(str((letter.event or {}).get("type", "?")))


def _short(name: str) -> str:
    return name.removeprefix("ochn.")
