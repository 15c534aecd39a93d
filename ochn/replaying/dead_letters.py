"""`ochn dead-letters`: list, show, replay."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from base.clock import SystemClock, from_rfc3339
from base.errors import UserError
from base.reasons import Dead
from eventlog.event import Event
from eventlog.log import StoredRecord
from eventlog.topics import Topics
from forwarder.keeping.dead_letters import DeadLetter
from ochn.config import Settings
from ochn.kept import Kept
from ochn.log_access import run
from ochn.options import (
    Config,
    DataDir,
    Destination,
    DryRun,
    EventId,
    Every,
    Json,
    Key,
    Rate,
    Reason,
    Since,
    Until,
    Yes,
    one_of,
)
from ochn.output import age, json_lines, pretty, table
from ochn.replaying.again import Asked, send_again
from ochn.replaying.leaving_out import without_erased
from ochn.replaying.preview import Preview
from ochn.replaying.resending import Journal, Leaving
from ochn.served import settings_of
from ochn.times import moment


@dataclass(frozen=True, slots=True)
class Filters:
    """None: any. Moments in seconds since the epoch, of the refusal."""

    destination: str | None = None
    reason: str | None = None
    key: str | None = None
    since: float | None = None
    until: float | None = None

    def take(self, letter: DeadLetter) -> bool:
        at = from_rfc3339(letter.at)
        return (
            self.destination in (None, letter.destination)
            and self.reason in (None, letter.reason)
            and self.key in (None, _key(letter))
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


def dead_list(
    config: Config = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    destination: Destination = None,
    reason: Reason = None,
    key: Key = None,
    since: Since = "",
    until: Until = "",
) -> None:
    """What destinations refused for good, oldest first."""
    settings, now = settings_of(config, data_dir), SystemClock().now()
    filters = _filters(destination, reason, key, since, until)
    found = run(_kept(settings).all(), settings)
    letters = list(_chosen(found, filters, settings).values())
    if as_json:
        json_lines(map(asdict, letters))
        return
    rows = (
        (letter.id, age(letter.at, now), letter.destination, _type(letter), f"{letter.reason}: {letter.detail}")
        for letter in letters
    )
    empty = "no dead letter is like that" if found else "there are no dead letters"
    table(("event", "age", "destination", "type", "why"), rows, empty)


def dead_show(
    event_id: EventId, config: Config = None, data_dir: DataDir = None, destination: Destination = None
) -> None:
    """One dead letter: the event, the exact request with secrets masked, the reply."""
    settings = settings_of(config, data_dir)
    found = run(_kept(settings).find(event_id), settings)
    for letter in _chosen(found, Filters(destination), settings).values():
        pretty(asdict(letter))


def dead_replay(
    event_id: Annotated[str, typer.Argument(help="The event's id, or how it begins.")] = "",
    config: Config = None,
    data_dir: DataDir = None,
    destination: Destination = None,
    reason: Reason = None,
    key: Key = None,
    since: Since = "",
    until: Until = "",
    every: Every = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    rate: Rate = None,
) -> None:
    """Send events again to the destination that refused them, and to no other. They leave the dead letters. What was
    stopped half-way goes on when asked again: nothing is sent twice."""
    settings, filters = settings_of(config, data_dir), _filters(destination, reason, key, since, until)
    kept = _kept(settings)
    if bool(event_id) == every:
        raise UserError("which ones?", f"name an event, or say --all, with filters; {kept.command} shows them")
    found = run(kept.find(event_id) if event_id else kept.all(), settings)
    chosen = _chosen(found, filters, settings)
    events = {key: letter for key, letter in chosen.items() if letter.event is not None}
    if chosen.keys() - events.keys():
        told = f"{len(chosen) - len(events)} were never an event, and stay"
        Console(stderr=True, highlight=False).print(told, markup=False)
    preview, events = Preview(), without_erased(settings, events, _event)
    for letter in events.values():
        preview.add(letter.destination, _event(letter))
    if not preview.total:
        raise UserError("no dead letter that could be sent is like that", f"{kept.command} shows them")
    topics = Topics(settings.log.topic_prefix)
    leaving = Leaving(
        topics.dead_letters.name,
        list(events),
        again=lambda key, now: events[key].replay(topics.events.name, now),
        named=str,
        clock=SystemClock(),
    )
    send_again(settings, Journal(settings.data_dir, "dead-letters"), preview, leaving.steps, Asked(yes, dry_run, rate))


def _chosen(found: Mapping[str, DeadLetter], filters: Filters, settings: Settings) -> dict[str, DeadLetter]:
    known = {*settings.destinations, *(letter.destination for letter in found.values())}  # one may be gone by now
    one_of("destination", filters.destination, known)
    one_of("key", filters.key, {*settings.keys, *filter(None, map(_key, found.values()))})
    return {key: letter for key, letter in found.items() if filters.take(letter)}


def _filters(destination: str | None, reason: str | None, key: str | None, since: str, until: str) -> Filters:
    one_of("reason", reason, Dead)
    now = SystemClock().now()
    moments = [moment(text, now) if text else None for text in (since, until)]
    return Filters(destination, reason, key, *moments)


def _kept(settings: Settings) -> Kept[DeadLetter]:
    topic = Topics(settings.log.topic_prefix).dead_letters.name
    return Kept(settings, topic, _decoded, "dead letter", "ochn dead-letters list")


def _event(letter: DeadLetter) -> Event:
    return Event.from_bytes(orjson.dumps(letter.event))


def _decoded(record: StoredRecord) -> DeadLetter:
    return DeadLetter.from_bytes(record.value or b"")


def _key(letter: DeadLetter) -> str | None:
    """The app key's name; None: it was never an event."""
    return (letter.event or {}).get("appkeyname")


def _type(letter: DeadLetter) -> str:
    found: Any = (letter.event or {}).get("type", "?")
    return str(found).removeprefix("ochn.")
