"""Two small destinations, an upstream that remembers, and a forwarder over a log in memory to try them with."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from base.clock import Clock, ManualClock, rfc3339
from base.ids import SeededIds
from base.logs import quiet_logger
from base.metrics import forwarder_metrics
from base.reasons import Dead, Filter, Parked, Trouble
from eventlog.appending import append_durably
from eventlog.event import Event
from eventlog.log import EventLog, LogScanner, LogWriter, Record, StoredRecord
from eventlog.memory import MemoryLog
from eventlog.topics import Topics
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.destinations.base import (
    BatchPolicy,
    Call,
    Fact,
    Facts,
    Outcome,
    Plan,
    Verdict,
    dead,
    delivered,
    filtered,
    parked,
    visitor_key,
)
from forwarder.destinations.settings import DestinationSettings
from forwarder.errors import TransportError, Unreachable
from forwarder.settings import ForwarderSettings
from forwarder.status import Status
from forwarder.transport import Reply, Request, Transport

TOPICS = Topics()
TOKEN = "api/token"


def make_event(number: int, subject: str, kind: str = "visit", **data: Any) -> Event:
    moment = rfc3339(1_800_000_000.0)
    return Event(
        id=f"event-{number:05}",
        type=f"ochn.web.{kind}",
        subject=subject,
        time=moment,
        receivedtime=moment,
        tenant="t",
        appkeyname="shop",
        door="/jsapi/send",
        data=data,
    )


def request(purpose: str, events: Sequence[Event], token: str = "") -> Request:
    body = {"purpose": purpose, "events": [{"id": event.id, "subject": event.subject} for event in events]}
    return Request("POST", "https://up.example/", {"authorization": f"Bearer {token}"}, orjson.dumps(body))


def judge(call: Call, reply: Reply | TransportError) -> Verdict:  # noqa: PLR0911 - a line a case
    if isinstance(reply, TransportError):
        return Verdict(trouble=reply.trouble, detail=str(reply))
    if reply.status == 401:
        return Verdict(trouble=Trouble.CREDENTIALS, facts=(Fact(TOKEN, None, secret=True),), detail="401")
    if reply.status == 429:
        return Verdict(trouble=Trouble.THROTTLED)
    if reply.status >= 500:
        return Verdict(trouble=Trouble.SERVER_ERROR, detail=str(reply.status))
    if reply.status == 400 and len(call.events) > 1:
        return Verdict(split=True)
    if reply.status >= 400:
        return Verdict({event.id: dead(Dead.REFUSED, reply.body.decode()) for event in call.events})
    return Verdict({event.id: delivered() for event in call.events})


@dataclass
class Chain:
    """One event a call: a token for all, an upstream id a visitor, then the sends. Visitors whose subject begins with
    `m` need a contact first, which an event's `email` teaches."""

    name: str = "chain"
    kind: str = "test"
    batch: BatchPolicy = field(default_factory=lambda: BatchPolicy(1, 1, 0.0))

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        visitor = visitor_key(events[0])
        email = next((event.data["email"] for event in events if "email" in event.data), None)
        taught = (Fact(f"{visitor}/contact", {"email": email}),) if email else ()
        settled = {event.id: filtered(Filter.HIGH_VOLUME) for event in events if event.kind == "sensors"}
        wanted = [event for event in events if event.id not in settled]
        if events[0].subject.startswith("m") and not email and not facts.get(f"{visitor}/contact"):
            settled |= {event.id: parked(Parked.WAITS_FOR_CONTACT) for event in wanted}
            return Plan(settled=settled)
        return Plan(self._calls(wanted, facts, visitor), settled, taught)

    def _calls(self, events: Sequence[Event], facts: Facts, visitor: str) -> tuple[Call, ...]:
        token = facts.get(TOKEN)
        if not events:
            return ()
        if token is None:
            return (Call("token", request("token", ()), shared="token"),)
        if facts.get(f"{visitor}/upstream") is None:
            return (Call("init", request("init", events[:1], token["value"])),)
        return tuple(Call("send", request("send", [event], token["value"]), (event,)) for event in events)

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        verdict = judge(call, reply)
        if not isinstance(reply, Reply) or reply.status != 200 or call.events:
            return verdict
        body = orjson.loads(reply.body)
        if call.purpose == "token":
            return Verdict(facts=(Fact(TOKEN, {"value": body["token"]}, secret=True),))
        return Verdict(facts=(Fact(f"shop/{body['subject']}/upstream", {"id": body["subject"]}),))


@dataclass
class Batches:
    """Many events a call; a 400 says that one of them is bad, and not which."""

    name: str = "batches"
    kind: str = "test"
    batch: BatchPolicy = field(default_factory=lambda: BatchPolicy(20, 1_000_000, 0.05))

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        settled: dict[str, Outcome] = {e.id: filtered(Filter.HIGH_VOLUME) for e in events if e.kind == "sensors"}
        wanted = tuple(event for event in events if event.id not in settled)
        calls = (Call("activity", request("activity", wanted), wanted),) if wanted else ()
        return Plan(calls, settled)

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        return judge(call, reply)


@dataclass
class Upstream:
    """Answers as it is told; `received` is every event id that it took, in order, with its visitor."""

    fault: Callable[[dict[str, Any]], Reply | None] = lambda _call: None
    pauses: Callable[[], int] = lambda: 0  # how often a call lets others go first
    received: list[tuple[str, str]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    flying: list[list[str]] = field(default_factory=list)  # visitors of each call in flight
    most: int = 0  # calls that were in flight at once
    overlaps: int = 0  # calls made while another of one of their visitors was in flight
    tokens: int = 0

    async def send(self, request: Request, deadline: float) -> Reply:
        call = orjson.loads(request.body)
        visitors = [event["subject"] for event in call["events"]]
        self.overlaps += any(set(visitors) & set(others) for others in self.flying)
        self.flying.append(visitors)
        self.most = max(self.most, len(self.flying))
        try:
            for _ in range(self.pauses()):
                await asyncio.sleep(0)
            return self._answer(call, request.headers["authorization"])
        finally:
            self.flying.remove(visitors)

    def _answer(self, call: dict[str, Any], authorization: str) -> Reply:
        self.calls.append(call)
        reply = self.fault(call)
        if reply is not None and reply.status == 0:
            raise Unreachable("reset")
        if reply is not None:
            return reply
        if call["purpose"] == "token":
            self.tokens += 1
            return Reply(200, {}, orjson.dumps({"token": f"secret-token-{self.tokens}"}))
        if call["purpose"] == "init":
            return Reply(200, {}, orjson.dumps({"subject": call["events"][0]["subject"]}))
        self.received.extend((event["id"], event["subject"]) for event in call["events"])
        return Reply(200, {}, b"{}")

    async def close(self) -> None:
        return None

    def ids(self) -> list[str]:
        return [event_id for event_id, _ in self.received]

    def of(self, subject: str) -> list[str]:
        return [event_id for event_id, whose in self.received if whose == subject]


def sometimes(seed: int, rate: float = 0.3) -> Callable[[dict[str, Any]], Reply | None]:
    """Troubles of every kind; also one after the upstream has taken the event is a duplicate, so it is not here."""
    dice = random.Random(seed)
    faults = [Reply(0), Reply(500), Reply(503, {"retry-after": "2"}), Reply(429)]

    def fault(_call: dict[str, Any]) -> Reply | None:
        return dice.choice(faults) if dice.random() < rate else None

    return fault


class HeldClock(ManualClock):
    """Moves only when the test says so: who sleeps on it waits."""

    async def sleep(self, seconds: float) -> None:
        due = self.monotonic() + seconds
        while self.monotonic() < due:
            await asyncio.sleep(0.002)


@dataclass
class World:
    """A forwarder of one destination that can be started, ended and killed over the same log and directory."""

    directory: Path
    destination: Chain | Batches
    upstream: Transport
    log: EventLog = field(default_factory=MemoryLog)
    clock: Clock = field(default_factory=ManualClock)
    settings: ForwarderSettings = field(default_factory=ForwarderSettings)
    options: DestinationSettings = field(default_factory=DestinationSettings)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    build: Callable[[Target, Status, Surroundings], Delivery] = build_delivery

    async def append(self, *events: Event) -> None:
        await self.append_records(*(event.to_record(TOPICS.events.name, self.clock.now()) for event in events))

    async def append_records(self, *records: Record) -> None:
        writer = await self.log.open_writer()
        await append_durably(writer, records)
        await writer.close(5)

    async def deliver(self, *, parked_too: bool = False) -> None:
        """Until everything that stands in the log is settled and committed, parked events aside; then ends."""
        async with self.running() as delivery:
            await self.until_committed()
            async with asyncio.timeout(30):
                while parked_too and delivery.watch.parking.count():
                    await asyncio.sleep(0.005)

    async def killed(self, after: int) -> "World":
        """Runs until the upstream has been called `after` times more, and ends without a word. A world to go on in."""
        upstream = self.upstream
        assert isinstance(upstream, Upstream)
        goal = len(upstream.calls) + after
        async with self._started(asyncio.Event(), 0.0) as (_, relaying):
            for _ in range(20_000):
                if len(upstream.calls) >= goal or relaying.done():
                    break
                await asyncio.sleep(0)
        return self

    async def until_committed(self) -> None:
        scanner = await self.log.open_scanner()
        group = TOPICS.group(self.destination.name)
        async with asyncio.timeout(30):
            while await scanner.committed(group, TOPICS.events.name) != {
                partition: end for partition, (_, end) in (await scanner.bounds(TOPICS.events.name)).items() if end
            }:
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def running(self, drain: float = 5.0) -> AsyncIterator[Delivery]:
        ending = asyncio.Event()
        async with self._started(ending, drain) as (delivery, relaying):
            yield delivery
            if relaying.done():
                relaying.result()
            ending.set()
            await relaying

    @contextlib.asynccontextmanager
    async def _started(
        self, ending: asyncio.Event, drain: float
    ) -> AsyncIterator[tuple[Delivery, "asyncio.Task[None]"]]:
        writer = await self.log.open_writer()
        delivery = self.build(*await self._parts(writer))
        reader = await self.log.open_reader(TOPICS.group(self.destination.name), TOPICS.events.name, "earliest")
        relaying = asyncio.create_task(delivery.relay.run(reader, ending, drain))
        try:
            yield delivery, relaying
        finally:
            ending.set()
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            delivery.watch.show()
            await delivery.store.close(5)
            await writer.close(5)

    async def _parts(self, writer: LogWriter) -> tuple[Target, Status, Surroundings]:
        around = Surroundings(
            settings=self.settings,
            data_dir=self.directory,
            topics=TOPICS,
            writer=writer,
            scanner=await self.log.open_scanner(),
            clock=self.clock,
            ids=SeededIds(1),
            metrics=forwarder_metrics(CollectorRegistry()),
            log=quiet_logger(),
        )
        name = self.destination.name
        path = self.directory / "forwarder" / f"{name}.status.json"
        target = Target(self.destination, self.options, lambda: self.upstream)
        return target, Status(name, self.destination.kind, path, self.clock), around

    async def records(self, topic: str) -> list[StoredRecord]:
        scanner: LogScanner = await self.log.open_scanner()
        return [record async for record in scanner.scan(topic)]

    async def standing(self, topic: str) -> dict[str, Mapping[str, Any]]:
        """key -> value of a compacted topic, without what was taken back."""
        latest = {record.key.decode(): record.value for record in await self.records(topic)}
        return {key: orjson.loads(value) for key, value in latest.items() if value is not None}


def in_order(received: Sequence[tuple[str, str]]) -> bool:
    """Each visitor's events came in the order of their numbers; one may come again before the next."""
    last: dict[str, str] = {}
    for event_id, subject in received:
        if event_id < last.get(subject, ""):
            return False
        last[subject] = event_id
    return True


def numbered(count: int, visitors: int) -> Iterator[Event]:
    dice = random.Random(count)
    for number in range(count):
        yield make_event(number, f"v{dice.randrange(visitors)}")
