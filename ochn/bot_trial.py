"""What a rule about bots tags, or would, of events that stand in the log: how many, of whom, and where they'd not go."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from collector.judging.bots import Rule, bounded, is_within
from eventlog.event import Event, UnreadableEvent
from eventlog.log import EventLog
from ochn.replaying.preview import progress

TAGGED: Final = b'"botrule":'  # in every event that bears one
_SAMPLES: Final = 5
_AGENTS: Final = 10  # that are shown; of so many times as many different ones the numbers are kept
_WIDTH: Final = 140


@dataclass(slots=True)
class Tally:
    """Of the events that one rule tags. `agents`: how many came from each User-Agent, as far as there was room."""

    events: int = 0
    visitors: set[int] = field(default_factory=set)  # hashes: millions fit
    keys: Counter[str] = field(default_factory=Counter)
    agents: Counter[str] = field(default_factory=Counter)
    bear: Counter[str] = field(default_factory=Counter)  # the rule that tagged them when they came; "" for none
    samples: list[dict[str, str]] = field(default_factory=list)

    def add(self, event: Event) -> None:
        self.events += 1
        self.visitors.add(hash((event.appkeyname, event.subject)))
        self.keys[event.appkeyname] += 1
        self.bear[event.botrule or ""] += 1
        agent = shown(event.useragent or "")
        if agent in self.agents or len(self.agents) < 100 * _AGENTS:
            self.agents[agent] += 1
        if len(self.samples) < _SAMPLES:
            told = {"id": event.id, "type": event.type, "appkeyname": event.appkeyname}
            self.samples.append({**told, "receivedtime": event.receivedtime, "user_agent": agent})

    def told(self) -> dict[str, Any]:
        return {"events": self.events, "visitors": len(self.visitors), "keys": dict(self.keys.most_common())}


@dataclass(frozen=True, slots=True)
class Window:
    """Moments in seconds since the epoch."""

    log: EventLog
    topic: str
    since: float
    until: float

    async def events(self, containing: bytes | None = None) -> AsyncIterator[Event]:
        """Behind a bar: partition after partition, and in each as far as the time has come."""
        scanner = await self.log.open_scanner()
        places = {partition: place for place, partition in enumerate(sorted(await scanner.bounds(self.topic)))}
        with progress() as bar:
            task = bar.add_task("", total=100)
            scan = scanner.scan(self.topic, self.since, until=self.until, containing=containing)
            async for record in scan:
                passed = (record.timestamp - self.since) / max(self.until - self.since, 1.0)
                bar.update(task, completed=int(100 * (places[record.position.partition] + passed) / len(places)))
                try:
                    yield Event.from_record(record)
                except UnreadableEvent:
                    continue
            bar.update(task, completed=100)


@dataclass(slots=True)
class Trial:
    """`order`: the names of all rules, in which the first that holds tags. `lists`: by destination, the rules whose
    events it doesn't get; `now` and `then`: how many of these events it gets not, today, and with this rule listed."""

    rule: Rule
    order: Mapping[str, int]
    lists: Mapping[str, frozenset[str]]
    read: int = 0
    unknown: int = 0  # whose address was not kept, where the rule asks for it
    tally: Tally = field(default_factory=Tally)
    now: Counter[str] = field(default_factory=Counter)
    then: Counter[str] = field(default_factory=Counter)

    async def run(self, window: Window) -> None:
        holds = lru_cache(maxsize=65_536)(lambda agent: self.rule.takes(bounded(agent)))
        async for event in window.events():
            self.read += 1
            if self._tags(event, holds):
                self._count(event)

    def _tags(self, event: Event, holds: Callable[[str], bool]) -> bool:
        rule = self.rule
        if event.surface not in rule.surfaces or (rule.keys and event.appkeyname not in rule.keys):
            return False
        if not holds(event.useragent or ""):
            return False
        if not rule.networks:
            return True
        if event.clientaddress is None or "/" in event.clientaddress:
            self.unknown += 1
            return False
        return is_within(event.clientaddress, rule.networks)

    def _count(self, event: Event) -> None:
        self.tally.add(event)
        bears = event.botrule or ""
        would = self.rule.name if self._place(self.rule.name) <= self._place(bears) else bears
        for name, listed in self.lists.items():
            self.now[name] += bears in listed
            self.then[name] += would in listed or would == self.rule.name

    def _place(self, name: str) -> int:
        """A rule that is none any more, or none yet, tags after all others, and before nothing."""
        return self.order.get(name, len(self.order))

    def told(self) -> dict[str, Any]:
        rows = [
            {"destination": name, "lists_it": self.rule.name in listed, "now": self.now[name], "then": self.then[name]}
            for name, listed in self.lists.items()
        ]
        bear = {name or "none": count for name, count in self.tally.bear.most_common()}
        agents = [{"user_agent": agent, "events": count} for agent, count in self.tally.agents.most_common(_AGENTS)]
        told = {"rule": self.rule.name, "read": self.read, **self.tally.told(), "without_address": self.unknown}
        return {**told, "tagged_by": bear, "destinations": rows, "user_agents": agents, "samples": self.tally.samples}


async def tallies(window: Window) -> dict[str, Tally]:
    """By rule, of the events that bear its name."""
    found: dict[str, Tally] = {}
    async for event in window.events(TAGGED):
        if event.botrule is not None:
            found.setdefault(event.botrule, Tally()).add(event)
    return found


def shown(agent: str) -> str:
    """On one line, without what may be somebody's e-mail, and nothing that a terminal obeys."""
    words = ("***" if "@" in word else word for word in agent.split())
    text = "".join(sign if sign.isprintable() else "?" for sign in " ".join(words))
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
