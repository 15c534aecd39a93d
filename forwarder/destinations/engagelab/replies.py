"""What EngageLab's codes mean: a 200 may be a refusal (the page's table of codes)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from base.reasons import Dead, Trouble
from forwarder.destinations.base import Call, Fact, Verdict, dead, delivered
from forwarder.destinations.engagelab import person
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.errors import TransportError
from forwarder.transport import Reply

CREDENTIALS: Final = frozenset({40050, 50031, 50034, 50074})
STALE: Final = frozenset({40007, 55108})  # an EUID that EngageLab doesn't know: register again, once
REFUSALS: Final = frozenset({55004, 55101, 55102, 55103, 55105, 55106, 55107})
INTERNAL: Final = -1


def code_of(reply: Reply) -> int | None:
    code = (json_object(reply) or {}).get("code")
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def judged(reply: Reply | TransportError) -> Reply | Verdict:
    """The reply when it says success, when it refuses for good, or when it doesn't know an EUID; else the trouble. A
    code that the page doesn't name costs no event: it is tried again, and parked in the end."""
    found = answered(reply)
    if isinstance(found, Verdict):
        return found
    code = code_of(found)
    if code in CREDENTIALS:
        return Verdict(trouble=Trouble.CREDENTIALS, detail=said(found))
    if code == INTERNAL:
        return Verdict(trouble=Trouble.SERVER_ERROR, detail=said(found))
    good = found.status == 200 and code == 0
    return found if good or found.status >= 400 or code in STALE | REFUSALS else unreadable(found)


def is_success(reply: Reply) -> bool:
    return reply.status == 200 and code_of(reply) == 0


def register_verdict(call: Call, reply: Reply) -> Verdict:
    """The memo's `visitors`: each one's identity. A list that is refused, or that gets EUIDs for a part of it (a success
    may be partial), is registered one by one; who gets none alone is refused."""
    now, visitors = call.memo["now"], call.memo["visitors"]
    values = {who.value for who in visitors.values()}
    euids = dict(_euids(reply)) if is_success(reply) else {}
    if values - euids.keys() and len(values) > 1:
        return Verdict(facts=tuple(person.refusal_fact(key, str(who), "", now) for key, who in visitors.items()))
    facts: list[Fact] = []
    for key, who in visitors.items():
        if who.value in euids:
            renewed = now if key in call.memo["renewed"] else 0.0
            facts.append(person.euid_fact(key, str(who), euids[who.value], renewed))
        else:
            facts.append(person.refusal_fact(key, str(who), said(reply), now))
    outcomes = {}
    for event in call.events:
        who = visitors[call.memo["by_event"][event.id]]
        good = who.value in euids
        outcomes[event.id] = delivered() if good else dead(Dead.REFUSED, said(reply))
    return Verdict(outcomes, tuple(facts))


def _euids(reply: Reply) -> Iterator[tuple[str, int]]:
    data: Any = (json_object(reply) or {}).get("data")
    for item in data if isinstance(data, list) else ():
        if isinstance(item, Mapping):
            value, euid = item.get("identity_value"), item.get("euid")
            if isinstance(euid, int) and not isinstance(euid, bool) and euid != 0:
                yield str(value), euid


def contact_verdict(call: Call, reply: Reply) -> Verdict:
    memo = call.memo
    if code_of(reply) in STALE and memo["fresh"]:
        return Verdict(facts=(person.stale_fact(memo["visitor"], memo["identity"]),))
    refused = "" if is_success(reply) else said(reply)
    fact = person.told_fact(memo["visitor"], memo["euid"], memo["contacts"], refused, memo["now"])
    outcome = dead(Dead.REFUSED, refused) if refused else delivered()
    return Verdict({event.id: outcome for event in call.events}, (fact,))


def report_verdict(call: Call, reply: Reply) -> Verdict:
    """A refusal of several says of none which it was: halved until it is alone."""
    if is_success(reply):
        return Verdict({event.id: delivered(late=event.id in call.memo["late"]) for event in call.events})
    if len(call.events) > 1:
        return Verdict(split=True, detail=said(reply))
    (event,) = call.events
    visitor, identity, fresh = call.memo["who"][event.id]
    if code_of(reply) in STALE and fresh:
        return Verdict(facts=(person.stale_fact(visitor, identity),))
    reason = Dead.TOO_LARGE if reply.status == 413 else Dead.REFUSED
    return Verdict({event.id: dead(reason, said(reply))})
