"""Batches of activities: up to a thousand, up to 1 MiB, halved by the engine when one of them spoils the rest."""

from collections.abc import Sequence
from typing import Final

import orjson

from base.reasons import Dead, Filter
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
)
from forwarder.destinations.bodies import Encoded, batches, json_list
from forwarder.destinations.contact import Contact, contact_by_now
from forwarder.destinations.netcore.mapping import Activities
from forwarder.destinations.netcore.settings import NetcoreSettings
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.destinations.values import happened
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request

MAX_ACTIVITIES: Final = 1000
MAX_BYTES: Final = 1024 * 1024  # of a body


class Netcore:
    kind = "netcore"

    def __init__(self, name: str, settings: NetcoreSettings) -> None:
        self.name = name
        self._activities = Activities(settings)
        self._max_age = settings.max_age_hours * 3600  # beyond it the vendor triggers no journey
        self.batch = BatchPolicy(events=MAX_ACTIVITIES, bytes=MAX_BYTES, age=1.0, late_after=self._max_age)
        key = settings.api_key.get_secret_value()
        auth = {"Authorization": f"Bearer {key}"} if settings.auth_header == "bearer" else {"api-key": key}
        self._headers = {"Content-Type": "application/json", **auth}
        self._url = f"{settings.host}/v1/activity/upload"

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        """A visitor's contact counts from the event on that tells it, also within the batch."""
        learned: dict[str, Contact] = {}
        settled: dict[str, Outcome] = {}
        wanted: list[Encoded] = []
        late: set[str] = set()
        for event in events:
            contact = contact_by_now(event, facts, learned)
            activity = self._activities.of(event)
            if isinstance(activity, Filter):
                settled[event.id] = filtered(activity)
                continue
            moment = happened(event, now)
            encoded = orjson.dumps(self._activities.body(activity, event, contact, moment))
            if len(encoded) > MAX_BYTES - len(b"[]"):
                settled[event.id] = dead(Dead.TOO_LARGE, f"{len(encoded)} bytes; a call takes {MAX_BYTES}")
                continue
            wanted.append((event, encoded))
            if now - moment > self._max_age:
                late.add(event.id)
        calls = tuple(self._call(batch, frozenset(late)) for batch in batches(wanted, MAX_ACTIVITIES, MAX_BYTES))
        return Plan(calls, settled, tuple(Fact(key, contact) for key, contact in learned.items()))

    def _call(self, batch: Sequence[Encoded], late: frozenset[str]) -> Call:
        request = Request("POST", self._url, self._headers, json_list(batch))
        return Call("activity", request, tuple(event for event, _ in batch), memo={"late": late})

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        found = answered(reply)
        if isinstance(found, Verdict):
            return found
        if found.status >= 400 and len(call.events) > 1:
            return Verdict(split=True, detail=said(found))
        if found.status >= 400:
            reason = Dead.TOO_LARGE if found.status == 413 else Dead.REFUSED
            return Verdict({event.id: dead(reason, said(found)) for event in call.events})
        if found.status != 200 or (json_object(found) or {}).get("status") != "success":
            return unreadable(found)
        late, on_time, too_late = call.memo["late"], delivered(), delivered(late=True)
        return Verdict({event.id: too_late if event.id in late else on_time for event in call.events})
