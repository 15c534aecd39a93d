"""What Footprints knows of a visitor: the id it gave, and the contacts it was told with the last upstream init."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from eventlog.event import Event
from eventlog.facts import UPSTREAM
from forwarder.destinations.base import Fact, Facts, visitor_key
from forwarder.destinations.values import email, text

REFUSAL_HOLDS: Final = 60.0  # seconds: longer would refuse what is replayed after the settings were mended

Contact = Mapping[str, str]  # email, phone, push: only what is known


@dataclass(frozen=True, slots=True)
class Known:
    """`id` empty: Footprints has not met this visitor. `utype` p or c, empty for a device."""

    id: str = ""
    utype: str = ""
    contact: Contact = field(default_factory=dict)


def known(event: Event, facts: Facts) -> Known:
    """A foreign id was given by Footprints itself, before its pages came to us: it needs no init to be known there."""
    fact = facts.get(f"{visitor_key(event)}/{UPSTREAM}")
    if fact is not None:
        return Known(fact["id"], fact["utype"], fact["contact"])
    if not event.foreignid:
        return Known()
    utype = text(event.data.get("uType"))
    if utype not in ("p", "c"):
        utype = "p" if event.subject.startswith("p") else "c"
    return Known(event.subject, utype)


def refusal(event: Event, facts: Facts, contact: Contact, now: float) -> str:
    """What the vendor said when it refused an init with these contacts a moment ago; empty: none did."""
    fact = facts.get(f"{visitor_key(event)}/refusal")
    if fact is None or fact["contact"] != contact or not 0 <= now - fact["at"] < REFUSAL_HOLDS:
        return ""
    return str(fact["detail"])


def told(event: Event) -> Contact:
    """The contacts an event tells, of those that this surface's init takes."""
    found = {"email": email(event.data.get("email"))}
    if event.surface == "mobile":
        found["phone"] = text(event.data.get("phone"))
        found["push"] = text(event.data.get("pushNotificationToken"))
    return {name: value for name, value in found.items() if value}


def upstream_fact(visitor: str, reply: Mapping[str, Any], contact: Contact) -> Fact | None:
    """From any of the three names under which the vendor answers an id; None without one."""
    for name, utype in (("uid", "c"), ("pid", "p"), ("mobileId", "")):
        if found := text(reply.get(name)):
            return Fact(f"{visitor}/{UPSTREAM}", {"id": found, "utype": utype, "contact": dict(contact)})
    return None


def refusal_fact(visitor: str, contact: Contact, detail: str, now: float) -> Fact:
    return Fact(f"{visitor}/refusal", {"contact": dict(contact), "detail": detail, "at": now})
