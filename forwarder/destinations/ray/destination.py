"""Batches of interactions under an access token; RAY says no in the body of a 200."""

from collections.abc import Sequence
from typing import Final

import orjson

from base.forms import encode_form
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
    filtered,
)
from forwarder.destinations.bodies import Encoded, batches, json_list
from forwarder.destinations.contact import Contact, contact_by_now
from forwarder.destinations.ray.mapping import interaction, rule_against
from forwarder.destinations.ray.settings import RaySettings
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.destinations.tokens import FORM, TOKEN, basic, known_token, token_refused, token_verdict
from forwarder.destinations.values import happened
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request

MAX_BYTES: Final = 1024 * 1024  # of a body


class Ray:
    kind = "ray"

    def __init__(self, name: str, settings: RaySettings) -> None:
        self.name = name
        self._settings = settings
        self._max_age = settings.max_age_hours * 3600
        self.batch = BatchPolicy(events=settings.batch_events, bytes=MAX_BYTES, age=1.0, late_after=self._max_age)

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        """A visitor's contact counts from the event on that tells it, also within the batch."""
        learned: dict[str, Contact] = {}
        settled: dict[str, Outcome] = {}
        wanted: list[Encoded] = []
        for event in events:
            contact = contact_by_now(event, facts, learned)
            if rule := rule_against(event, contact, self._settings):
                settled[event.id] = filtered(rule)
                continue
            encoded = orjson.dumps(interaction(event, contact, self._settings, now))
            if len(encoded) > MAX_BYTES - len(b"[]"):
                settled[event.id] = dead(Dead.TOO_LARGE, f"{len(encoded)} bytes; a call takes {MAX_BYTES}")
            else:
                wanted.append((event, encoded))
        taught = tuple(Fact(key, contact) for key, contact in learned.items())
        return Plan(self._calls(wanted, facts, now), settled, taught)

    def _calls(self, wanted: Sequence[Encoded], facts: Facts, now: float) -> tuple[Call, ...]:
        if not wanted:
            return ()
        token = known_token(facts, now)
        if not token:
            return (self._token(now),)
        return tuple(
            self._interactions(batch, token, now) for batch in batches(wanted, self.batch.events, self.batch.bytes)
        )

    def _token(self, now: float) -> Call:
        settings = self._settings
        auth = basic(settings.client_id, settings.client_secret.get_secret_value())
        grant = {"username": settings.username, "password": settings.password.get_secret_value()}
        body = encode_form({"grant_type": "password", **grant})
        headers = {"Content-Type": FORM, "Authorization": auth}
        request = Request("POST", f"{settings.base_url}/oauth/token", headers, body)
        return Call("token", request, shared=TOKEN, memo={"now": now})

    def _interactions(self, batch: Sequence[Encoded], token: str, now: float) -> Call:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = Request("POST", f"{self._settings.base_url}/events/interaction", headers, json_list(batch))
        events = tuple(event for event, _ in batch)
        late = frozenset(event.id for event in events if now - happened(event, now) > self._max_age)
        return Call("interaction", request, events, memo={"late": late})

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        told = _as_meant(reply)
        if call.purpose == "token":
            return token_verdict(call, told)
        found = answered(told)
        if isinstance(found, Verdict):
            return token_refused(found)
        if found.status >= 400 and len(call.events) > 1:
            return Verdict(split=True, detail=said(found))
        if found.status >= 400:
            reason = Dead.TOO_LARGE if found.status == 413 else Dead.REFUSED
            return Verdict({event.id: dead(reason, said(found)) for event in call.events})
        if found.status != 200 or _status_code(found) != 200:
            return unreadable(found)
        return Verdict({event.id: delivered(late=event.id in call.memo["late"]) for event in call.events})


def _as_meant(reply: Reply | TransportError) -> Reply | TransportError:
    """With the status that the body of a 200 tells."""
    if isinstance(reply, TransportError) or reply.status != 200:
        return reply
    code = _status_code(reply)
    return reply if code is None else reply._replace(status=code)


def _status_code(reply: Reply) -> int | None:
    code = (json_object(reply) or {}).get("statusCode")
    return code if isinstance(code, int) and not isinstance(code, bool) else None
