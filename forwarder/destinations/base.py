"""What a destination is: two pure functions, and the values that pass between them and the engine.

plan(events, facts)  -> the calls that can be made now, the events settled without one, the facts that events teach.
classify(call, reply) -> what became of the call's events, the facts that the reply teaches.

The engine stores facts before it plans again, so a chain (init -> id -> send; token -> lead) is only a plan that asks
for the first missing thing, again and again, until every event is settled. A destination never sleeps, owns no client
and keeps no state: retry, timeout, parking and dead letters wrap it from outside.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from msgspec import field

from base.reasons import Dead, Filter, Parked, Trouble
from base.values import Value
from eventlog import facts
from eventlog.event import Event
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request


class Outcome(Value, frozen=True):
    """Final but for `parked`. `reason` is a code of base.reasons: Dead, Filter or Parked; empty when delivered."""

    kind: Literal["delivered", "dead", "filtered", "parked"]
    reason: str = ""
    detail: str = ""  # for people: what the destination said
    late: bool = False


def delivered(*, late: bool = False) -> Outcome:
    return Outcome("delivered", late=late)


def dead(reason: Dead, detail: str = "") -> Outcome:
    return Outcome("dead", reason, detail)


def filtered(rule: Filter, detail: str = "") -> Outcome:
    return Outcome("filtered", rule, detail)


def parked(reason: Parked) -> Outcome:
    return Outcome("parked", reason)


class Fact(Value, frozen=True):
    """`key` is `<scope>/<name>`; a visitor's scope is `visitor_key(event)`. Value None forgets. `secret` facts (tokens)
    live in memory only; others stand in SQLite and in the compacted changelog, and come back after a restart."""

    key: str
    value: Mapping[str, Any] | None
    secret: bool = False


class Facts(Protocol):
    def get(self, key: str) -> Mapping[str, Any] | None: ...


class Call(Value, frozen=True):
    """`events` are those it settles: none for a call that only teaches (a token, an upstream init). `shared` names
    a call that all may wait for: only one of a name is in flight at a time. `memo` is what the plan knew and classify
    needs, such as the time: it is not sent."""

    purpose: str  # init, send, token, lead, activity …: bounded, a metric's label
    request: Request
    events: tuple[Event, ...] = ()
    shared: str = ""
    memo: Mapping[str, Any] = field(default_factory=dict)


class Plan(Value, frozen=True):
    """An event of the input stands in `calls`, or in `settled` by its id, or waits for a later plan. A plan that has
    neither calls nor settled for a waiting event is a destination's error."""

    calls: tuple[Call, ...] = ()
    settled: Mapping[str, Outcome] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()


class Verdict(Value, frozen=True):
    """Exactly one of these holds: `outcomes` for all the call's events; or `trouble` (try again, not before `after`
    seconds; CREDENTIALS: refresh or pause); or `split`: halve the batch until the poison is alone; or only `facts` that
    change the next plan (an id that is none any more), which takes the call's events up again. A call without events
    answers with facts, or with trouble, or with `outcomes` for nobody and no facts: the next plan decides."""

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    trouble: Trouble | None = None
    after: float | None = None
    split: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """A batch is full at `events` or `bytes`, and goes anyway when its oldest has waited `age` seconds. What happened more
    than `late_after` seconds ago waits for what did not, as the destination makes less of it."""

    events: int
    bytes: int
    age: float
    late_after: float = math.inf


class Destination(Protocol):
    """`batch.events` 1: the engine plans each visitor's events apart, so visitors go side by side and each in order;
    more: it plans a whole batch at once."""

    name: str
    kind: str

    @property
    def batch(self) -> BatchPolicy: ...

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan: ...

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict: ...


def visitor_key(event: Event) -> str:
    """The scope of what is known about an event's visitor."""
    return facts.visitor_key(event.appkeyname, event.subject)
