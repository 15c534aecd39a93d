"""One call after the other for each visitor, in the order of their events: an upstream init where one is missing, first."""

from collections.abc import Mapping, Sequence
from typing import Final

from base.reasons import Dead, Filter, Parked
from eventlog.event import Event
from forwarder.destinations.base import (
    BatchPolicy,
    Call,
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
from forwarder.destinations.footprints import visitor
from forwarder.destinations.footprints.leads import Leads, is_failure, lead_verdict
from forwarder.destinations.footprints.requests import Requests
from forwarder.destinations.footprints.settings import FootprintsSettings
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.destinations.tokens import token_verdict
from forwarder.destinations.values import happened
from forwarder.errors import TransportError
from forwarder.transport import Reply

_ANSWERS_SUCCESS: Final = frozenset({"sensors", "geo"})
_TEACH: Final = frozenset({"init", "token"})


class Footprints:
    """`appkeys`: their app key by the name of ours."""

    kind = "footprints"
    batch = BatchPolicy(events=1, bytes=1024 * 1024, age=0.0)

    def __init__(self, name: str, settings: FootprintsSettings, appkeys: Mapping[str, str]) -> None:
        self.name = name
        self._appkeys = appkeys
        self._max_age = settings.max_age_hours * 3600
        self._requests = Requests(settings.base_url, forward_address=settings.forward_address)
        self._leads = Leads(settings)

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        """The calls up to the next one that teaches: what follows that one depends on it. What waits for a contact lets
        others by: one of them may bring it."""
        calls: list[Call] = []
        settled: dict[str, Outcome] = {}
        waiting: dict[str, Outcome] = {}
        for event in events:
            step = self._step(event, facts, now)
            if isinstance(step, Call):
                if step.purpose in _TEACH:
                    return Plan(tuple(calls) or (step,), settled)
                calls.append(step)
                continue
            (waiting if step.reason == Parked.WAITS_FOR_CONTACT else settled)[event.id] = step
        return Plan(tuple(calls), settled if calls else {**settled, **waiting})

    def _step(self, event: Event, facts: Facts, now: float) -> Call | Outcome:
        appkey = self._appkeys.get(event.appkeyname)
        if appkey is None:  # it may have been added to the settings since: no reason to lose the event
            return Outcome("parked", Parked.KEEPS_FAILING, f"the settings know no app key named {event.appkeyname}")
        if event.kind == "register":
            return self._leads.step(event, facts, now)
        if event.kind != "init" and not event.replayed and now - happened(event, now) > self._max_age:
            return dead(Dead.TOO_OLD, "Footprints would date it now")
        return self._track(event, facts, appkey, now)

    def _track(self, event: Event, facts: Facts, appkey: str, now: float) -> Call | Outcome:
        known = visitor.known(event, facts)
        contact = {**known.contact, **visitor.told(event)}
        unchanged = known.id and contact == known.contact
        if unchanged and event.kind == "init":
            return filtered(Filter.SAME_INIT)
        refusal = "" if unchanged else visitor.refusal(event, facts, contact, now)
        if unchanged or (refusal and known.id and event.kind != "init"):
            return Call(_purpose(event), self._requests.tracking(event, appkey, known), (event,))
        if refusal:
            return dead(Dead.UPSTREAM_INIT_REFUSED, refusal)
        if event.surface == "mobile" and not contact.keys() & {"email", "push"}:
            return filtered(Filter.NO_CONTACT) if event.impersonal else parked(Parked.WAITS_FOR_CONTACT)
        memo = {"visitor": visitor_key(event), "contact": contact, "now": now}
        settles = (event,) if event.kind == "init" else ()
        return Call("init", self._requests.init(event, appkey, contact), settles, memo=memo)

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        if call.purpose == "token":
            return token_verdict(call, reply)
        if call.purpose == "lead":
            return lead_verdict(call, reply)
        found = answered(reply)
        if isinstance(found, Verdict):
            return found
        return _init_verdict(call, found) if call.purpose == "init" else _tracking_verdict(call, found)


def _purpose(event: Event) -> str:
    return event.kind if event.kind in _ANSWERS_SUCCESS else "send"


def _init_verdict(call: Call, reply: Reply) -> Verdict:
    answer, memo = json_object(reply), call.memo
    if reply.status >= 400 or (answer is not None and is_failure(answer)):
        fact = visitor.refusal_fact(memo["visitor"], memo["contact"], said(reply), memo["now"])
        return Verdict({event.id: dead(Dead.REFUSED, said(reply)) for event in call.events}, (fact,))
    upstream = visitor.upstream_fact(memo["visitor"], answer or {}, memo["contact"])
    if upstream is None:
        return unreadable(reply)
    return Verdict({event.id: delivered() for event in call.events}, (upstream,))


def _tracking_verdict(call: Call, reply: Reply) -> Verdict:
    answer = json_object(reply)
    if reply.status >= 400 or (answer is not None and is_failure(answer)):
        return Verdict({event.id: dead(Dead.REFUSED, said(reply)) for event in call.events})
    if answer is None or (call.purpose in _ANSWERS_SUCCESS and answer.get("success") not in (True, "true")):
        return unreadable(reply)
    return Verdict({event.id: delivered() for event in call.events})
