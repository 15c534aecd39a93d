"""Two small destinations: one event a call behind a chain of calls, and batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from base.clock import rfc3339
from base.reasons import Dead, Filter, Parked, Trouble
from eventlog.event import Event
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
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request

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


def dated(event: Event, age: float) -> Event:
    """As it would be had it happened so many seconds earlier."""
    moment = rfc3339(1_800_000_000.0 - age)
    return event._replace(time=moment, receivedtime=moment)


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
