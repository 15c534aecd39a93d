"""`ochn replay`: what came in between two moments, sent again to one destination, from the log itself."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from base.clock import Clock, SystemClock
from base.errors import UserError
from collector.judging.checks import ACTIONS, AD_REQUESTS, UNKNOWN
from eventlog.erased import Erased
from eventlog.event import RECORD_HEADERS, Event, UnreadableEvent
from eventlog.log import EventLog, LogScanner, Position, Record, StoredRecord
from eventlog.topics import Topics
from forwarder.keeping.dead_letters import DESTINATION_HEADER
from ochn.log_access import open_log, run
from ochn.options import Config, DataDir, DryRun, Key, Rate, Yes, one_of
from ochn.replaying.again import Asked, send_again
from ochn.replaying.leaving_out import erased_by_now, tell_left_out
from ochn.replaying.preview import Preview
from ochn.replaying.resending import Journal, Step
from ochn.served import settings_of
from ochn.times import moment

_KINDS: Final = ACTIONS | AD_REQUESTS | {UNKNOWN, "init", "register", "sensors", "geo"}


def replay(
    since: Annotated[str, typer.Option("--from", help="From then on: 2026-11-21T00:00:00Z, or so long ago: 3h, 2d.")],
    destination: Annotated[str, typer.Option(help="Where to, and nowhere else.")],
    until: Annotated[str, typer.Option("--to", help="Before then, written in the same ways. Default: now.")] = "0s",
    config: Config = None,
    data_dir: DataDir = None,
    key: Key = None,
    kind: Annotated[str | None, typer.Option("--type", help="Only of this kind: visit, sale, register …")] = None,
    again: Annotated[bool, typer.Option("--again", help="Once more, though this very window was replayed.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    rate: Rate = None,
) -> None:
    """Send what came in between two moments again, to one destination. What it had is there twice afterwards: most
    vendors don't look at ids. Asked for in the same words after a stop, it goes on where it stood."""
    settings, now = settings_of(config, data_dir), SystemClock().now()
    one_of("destination", destination, settings.destinations)
    asked = Window(destination, moment(since, now), moment(until, now), key, kind)
    if asked.since >= asked.until:
        raise UserError("--to is not after --from: no event came then", "so long ago, --from is the larger one")
    words = "\0".join((destination, since, until, key or "", kind or ""))
    journal = Journal(settings.data_dir, f"window-{hashlib.sha256(words.encode()).hexdigest()[:12]}")
    window = _resumed(asked, journal, again=again)
    topics, erased = Topics(settings.log.topic_prefix), erased_by_now(settings)
    resend = _Resend(open_log(settings), topics, window, journal, SystemClock(), erased)
    preview, left_out = run(resend.preview(), settings, None)
    tell_left_out(left_out)
    if not preview.total:
        one_of("key", key, settings.keys)
        one_of("type", kind, _KINDS)
        raise UserError("nothing of that window is to be sent", "see --from, --to, --key, --type")
    if send_again(settings, journal, preview, resend.steps, Asked(yes, dry_run, rate)):
        journal.write(finished=True)


@dataclass(frozen=True, slots=True)
class Window:
    """Moments in seconds since the epoch; None: any."""

    destination: str
    since: float
    until: float
    key: str | None
    kind: str | None

    def take(self, event: Event) -> bool:
        return self.key in (None, event.appkeyname) and self.kind in (None, event.kind)

    def told(self) -> dict[str, Any]:
        return asdict(self)


def _resumed(asked: Window, journal: Journal, *, again: bool) -> Window:
    """What was asked for in the same words and not finished, goes on with what those words meant then."""
    state = journal.state
    if state and not state["finished"]:
        Console(stderr=True, highlight=False).print(f"goes on: {state.get('sent', 0)} went before", markup=False)
        return Window(**state["window"])
    if state and state["window"] == asked.told() and not again:
        raise UserError("this window was replayed to there already", "say --again to send it once more")
    journal.state = {"window": asked.told(), "finished": False}
    return asked


@dataclass(frozen=True, slots=True)
class _Resend:
    log: EventLog
    topics: Topics
    window: Window
    journal: Journal
    clock: Clock
    erased: Erased

    async def preview(self) -> tuple[Preview, int]:
        """Of what is left, and how much of it is of erased people; and where the log ends for this replay, which itself
        makes it longer."""
        scanner, preview, left_out = await self.log.open_scanner(), Preview(), 0
        bounds = await scanner.bounds(self.topics.events.name)
        self.journal.state.setdefault("ends", {str(partition): end for partition, (_, end) in bounds.items()})
        async for _, event in self._left(scanner):
            if event is not None and self.erased.denies(event):
                left_out += 1
            elif event is not None:
                preview.add(self.window.destination, event)
        return preview, left_out

    async def steps(self, at_once: int, already: frozenset[str]) -> AsyncIterator[Step]:
        place = {int(partition): offset for partition, offset in self.journal.state.get("place", {}).items()}
        records: dict[str, Record] = {}
        async for position, event in self._left(await self.log.open_scanner()):
            place[position.partition] = position.offset + 1
            if event is None or self.erased.denies(event):
                continue
            if (name := f"{event.id}:{self.window.destination}") not in already:
                records[name] = self._again(event)
            if len(records) == at_once:
                yield Step(records, place=dict(place))
                records = {}
        yield Step(records, place=place)

    async def _left(self, scanner: LogScanner) -> AsyncIterator[tuple[Position, Event | None]]:
        """None for an event that is not to be sent: of another key or kind, or itself a replay to one destination."""
        ends, place = self.journal.state["ends"], self.journal.state.get("place", {})
        ranges = {int(partition): (place.get(partition, 0), end) for partition, end in ends.items()}
        topic, window = self.topics.events.name, self.window
        async for record in scanner.scan(topic, window.since, ranges, until=window.until):
            yield record.position, self._wanted(record)

    def _wanted(self, record: StoredRecord) -> Event | None:
        if any(name == DESTINATION_HEADER for name, _ in record.headers):
            return None
        try:
            event = Event.from_record(record)
        except UnreadableEvent:
            return None
        return event if self.window.take(event) else None

    def _again(self, event: Event) -> Record:
        record = event._replace(replayed=True).to_record(self.topics.events.name, self.clock.now())
        headers = (*RECORD_HEADERS, (DESTINATION_HEADER, self.window.destination.encode()))
        return record._replace(headers=headers)
