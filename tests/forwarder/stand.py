"""An upstream that remembers, and a forwarder over a log in memory, to try small destinations with."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from eventlog.event import Event
from eventlog.topics import Topics
from forwarder.errors import Unreachable
from forwarder.transport import Reply, Request
from tests.forwarder.small import make_event

TOPICS = Topics()
STUCK = "event-00003"


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


@dataclass
class Hanging(Upstream):
    """Whatever carries the stuck event is answered when `free` is set."""

    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, request: Request, deadline: float) -> Reply:
        if f'"{STUCK}"'.encode() in request.body and b'"init"' not in request.body:
            await self.free.wait()
        return await super().send(request, deadline)


def sometimes(seed: int, rate: float = 0.3) -> Callable[[dict[str, Any]], Reply | None]:
    """Troubles of every kind; also one after the upstream has taken the event is a duplicate, so it is not here."""
    dice = random.Random(seed)
    faults = [Reply(0), Reply(500), Reply(503, {"retry-after": "2"}), Reply(429)]

    def fault(_call: dict[str, Any]) -> Reply | None:
        return dice.choice(faults) if dice.random() < rate else None

    return fault


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
