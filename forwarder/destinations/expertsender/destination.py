"""A call an event: to the visitor, or to everybody in some segments."""

from collections.abc import Sequence
from typing import Any

import orjson

from base.reasons import Dead
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
)
from forwarder.destinations.contact import Contact, contact_by_now
from forwarder.destinations.expertsender.data_fields import WrongType
from forwarder.destinations.expertsender.mapping import body, rule_against
from forwarder.destinations.expertsender.settings import ExpertSenderSettings
from forwarder.destinations.replies import answered, said, unreadable
from forwarder.destinations.values import happened
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request


class ExpertSender:
    kind = "expertsender"

    def __init__(self, name: str, settings: ExpertSenderSettings) -> None:
        self.name = name
        self._settings = settings
        self._max_age = settings.max_age_hours * 3600
        self.batch = BatchPolicy(events=1, bytes=1024 * 1024, age=0.0, late_after=self._max_age)
        self._headers = {"Content-Type": "application/json", "x-api-key": settings.api_key.get_secret_value()}

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        """The visitor's first event that goes out. A contact counts from the event on that tells it."""
        learned: dict[str, Contact] = {}
        settled: dict[str, Outcome] = {}
        calls: list[Call] = []
        for event in events:
            step = self._step(event, contact_by_now(event, facts, learned), now)
            if isinstance(step, Call):
                calls.append(step)
                break
            settled[event.id] = step
        return Plan(tuple(calls), settled, tuple(Fact(key, contact) for key, contact in learned.items()))

    def _step(self, event: Event, contact: Contact, now: float) -> Call | Outcome:
        outcome = rule_against(event, contact, self._settings)
        if outcome is not None:
            return outcome
        try:
            return self._call(event, body(event, contact, self._settings), now)
        except WrongType as error:
            return dead(Dead.WRONG_TYPE, str(error))

    def _call(self, event: Event, told: dict[str, Any], now: float) -> Call:
        purpose, path = ("segments", "/withsegments") if "segments" in told else ("event", "")
        url = f"{self._settings.base_url}/scenariocustomevents{path}"
        request = Request("POST", url, {**self._headers, "X-Event-Id": event.id}, orjson.dumps(told))
        late = now - happened(event, now) > self._max_age
        return Call(purpose, request, (event,), memo={"late": late, "id": told["customEventId"]})

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        """404 is an event or a customer that ExpertSender doesn't know: when it is the event, every call has it, and
        the engine pauses with what is said here."""
        found = answered(reply)
        if isinstance(found, Verdict):
            return found
        (event,) = call.events
        if found.status == 404:
            detail = f"custom event {call.memo['id']}, or this customer, is unknown: {said(found)}"
            return Verdict({event.id: dead(Dead.NOT_FOUND, detail)})
        if found.status >= 400:
            reason = Dead.TOO_LARGE if found.status == 413 else Dead.REFUSED
            return Verdict({event.id: dead(reason, said(found))})
        if found.status != 201:
            return unreadable(found)
        return Verdict({event.id: delivered(late=call.memo["late"])})
