"""Events put into the log again, slower than what comes in, so that a stop in the middle sends none of them twice.

Before each step a journal in the data directory says which events it is about to append. Who goes on after a stop looks
for those in the log, and in the spool where that keeps them meanwhile: what is there is not appended again. Two replays don't run beside each other (a lock).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from base.clock import Clock
from base.errors import UserError
from eventlog.appending import append_durably
from eventlog.embedded import files
from eventlog.event import Event
from eventlog.log import EventLog, LogScanner, Record
from eventlog.topics import Topics
from eventlog.waiting import waiting_for
from forwarder.keeping.dead_letters import DESTINATION_HEADER

LEAST_RATE: Final = 100.0  # events a second, where nothing comes in
CLOSE_SECONDS: Final = 10.0
_MILLISECOND: Final = 0.001  # what Kafka keeps of a time is whole milliseconds
_REPLAYED: Final = b'"replayed":true'
_WITHIN: Final = 60.0  # seconds from a step's first record to its last


@dataclass(frozen=True, slots=True)
class Step:
    """`records` go to the log, and once they are durable `erased` (tombstones) do. Their names are, or begin with,
    `<event id>:<destination>`: two letters of one event are two.
    `place`: partition -> where the next step begins."""

    records: Mapping[str, Record]
    erased: tuple[Record, ...] = ()
    place: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Steps of what leaves the compacted `topic`, by its keys there. `again` makes a key's record in the log at a time,
    and `named` what a Step calls that."""

    topic: str
    keys: Sequence[str]
    again: Callable[[str, float], Record]
    named: Callable[[str], str]
    clock: Clock

    async def steps(self, at_once: int, already: frozenset[str]) -> AsyncIterator[Step]:
        for at in range(0, len(self.keys), at_once):
            keys, now = self.keys[at : at + at_once], self.clock.now()
            again = {self.named(key): self.again(key, now) for key in keys if self.named(key) not in already}
            yield Step(again, tuple(Record(self.topic, key.encode(), None, now) for key in keys))


class Journal:
    """`<data_dir>/replays/<name>.json`."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._path = data_dir / "replays" / f"{name}.json"
        try:
            self.state: dict[str, Any] = orjson.loads(self._path.read_bytes()) if self._path.is_file() else {}
        except orjson.JSONDecodeError as error:
            way_out = "move it away: what was on its way when the last replay stopped may go twice then"
            raise UserError(f"the journal {self._path} is damaged", way_out) from error

    def write(self, **changes: Any) -> None:
        """Durable when it returns."""
        self.state |= changes
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(self._path, orjson.dumps(self.state, option=orjson.OPT_NON_STR_KEYS))


@dataclass(slots=True, kw_only=True)
class Resender:
    """`spool`: of a log that has one; `rate` in events a second."""

    log: EventLog
    spool: EventLog | None
    topics: Topics
    journal: Journal
    clock: Clock
    rate: float

    @property
    def at_once(self) -> int:
        """Events of a step: about four steps a second."""
        return max(1, min(50, int(self.rate / 4)))

    async def already(self) -> frozenset[str]:
        """What the last run was about to append when it was stopped, and did."""
        begun, at = set(self.journal.state.get("doing", ())), self.journal.state.get("at", 0.0)
        if not begun:
            return frozenset()
        there, topic, since = set[str](), self.topics.events.name, at - _MILLISECOND
        if self.spool is not None:  # first: what it hands on meanwhile is found in the log
            kept = waiting_for(await self.spool.open_scanner(), self.topics, topic, since, _REPLAYED)
            there |= {name_of(Event.from_record(record), record.headers) async for record in kept}
        scanner = await self.log.open_scanner()
        records = scanner.scan(topic, since, until=at + _WITHIN, containing=_REPLAYED)
        there |= {name_of(Event.from_record(record), record.headers) async for record in records}
        return frozenset(key for key in begun if ":".join(key.split(":")[:2]) in there)

    async def run(self, steps: AsyncIterator[Step], told: Callable[[int], None]) -> None:
        """`told` hears how many went, step by step."""
        writer = await self.log.open_writer()
        try:
            async for step in steps:
                began = self.clock.monotonic()
                at = min((record.timestamp for record in step.records.values()), default=0.0)
                self.journal.write(doing=list(step.records), at=at)
                await append_durably(writer, list(step.records.values()))
                await append_durably(writer, step.erased)
                sent = self.journal.state.get("sent", 0) + len(step.records)
                self.journal.write(doing=[], sent=sent, place=step.place)
                told(len(step.records))
                rest = len(step.records) / self.rate - (self.clock.monotonic() - began)
                await self.clock.sleep(max(0.0, rest))
        finally:
            await writer.close(CLOSE_SECONDS)


def name_of(event: Event, headers: Iterable[tuple[str, bytes]]) -> str:
    meant = [value.decode() for name, value in headers if name == DESTINATION_HEADER]
    return f"{event.id}:{meant[-1] if meant else ''}"


async def rate_below(scanner: LogScanner, topic: str, clock: Clock) -> float:
    """Half of what comes in, measured for a second."""
    before = await scanner.bounds(topic)
    began = clock.monotonic()
    await clock.sleep(1.0)
    after = await scanner.bounds(topic)
    came = sum(end - before.get(partition, (0, end))[1] for partition, (_, end) in after.items())
    return max(LEAST_RATE, came / (clock.monotonic() - began) / 2)
