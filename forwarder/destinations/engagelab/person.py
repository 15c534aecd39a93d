"""What EngageLab knows of a visitor: the EUID it gave for an identity, and the contacts it was told.

Facts of a visitor: `contact` (what they told us), `euid` (which EUID for which identity), `told` (the contacts that
were sent under it, and whether they were refused), `refusal` (a register that was refused a moment ago).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventlog.event import Event
from forwarder.destinations.base import Fact, Facts, visitor_key
from forwarder.destinations.contact import Contact, contact_told

LONGEST_IDENTITY: Final = 256  # characters
HOLDS: Final = 60.0  # seconds that a refusal holds: longer would refuse what is replayed after the cause was mended

_CONTACTS: Final = {"email": "email", "phone": "mobile_phone"}


@dataclass(frozen=True, slots=True)
class Identity:
    """`name` is user_id or anonymous_id."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}:{self.value}"


def identity_of(event: Event, contact: Contact) -> Identity | None:
    """The customer id, e-mail or phone, else the visitor's id; None when none of them is short enough."""
    for name in ("customerId", "email", "phone"):
        if name in contact and len(contact[name]) <= LONGEST_IDENTITY:
            return Identity("user_id", contact[name])
    subject = event.subject.replace("\0", "").strip()
    return Identity("anonymous_id", subject or "unknown") if len(subject) <= LONGEST_IDENTITY else None


@dataclass(frozen=True, slots=True)
class Known:
    """`euid` None: not registered under this identity. `renewed`: when it was asked for again, because EngageLab
    didn't know the last one. `stale`: it has to be asked for again."""

    euid: int | None = None
    renewed: float = 0.0
    stale: bool = False


def known(visitor: str, identity: Identity, facts: Facts) -> Known:
    fact = facts.get(f"{visitor}/euid")
    if fact is None or fact["identity"] != str(identity):
        return Known()
    return Known(fact.get("euid"), fact.get("renewed", 0.0), fact.get("stale", False))


def euid_fact(visitor: str, identity: str, euid: int, renewed: float) -> Fact:
    return Fact(f"{visitor}/euid", {"identity": identity, "euid": euid, "renewed": renewed})


def stale_fact(visitor: str, identity: str) -> Fact:
    return Fact(f"{visitor}/euid", {"identity": identity, "stale": True})


def told_fact(visitor: str, euid: int, contacts: Mapping[str, str], refused: str, now: float) -> Fact:
    return Fact(f"{visitor}/told", {"euid": euid, "contacts": dict(contacts), "refused": refused, "at": now})


def refusal_fact(visitor: str, identity: str, detail: str, now: float) -> Fact:
    """Without `detail` it says: register this visitor apart, because a list with it was refused."""
    return Fact(f"{visitor}/refusal", {"identity": identity, "detail": detail, "at": now})


def refusal(visitor: str, identity: Identity, facts: Facts, now: float) -> str | None:
    """What was said when this register was refused a moment ago; empty: a list that it was in was; None: nothing."""
    fact = facts.get(f"{visitor}/refusal")
    if fact is None or fact["identity"] != str(identity) or not 0 <= now - fact["at"] < HOLDS:
        return None
    return str(fact["detail"])


def contacts_of(contact: Contact) -> dict[str, str]:
    return {theirs: contact[ours] for ours, theirs in _CONTACTS.items() if ours in contact}


def untold(event: Event, contact: Contact, euid: int, facts: Facts, now: float) -> dict[str, str] | str:
    """The contacts to tell before `event`, perhaps none; or, as a text, why they were refused a moment ago."""
    contacts = contacts_of(contact)
    told: Mapping[str, Any] = facts.get(f"{visitor_key(event)}/told") or {}
    if (told.get("euid"), told.get("contacts")) != (euid, contacts):
        return contacts
    if not told["refused"] or not contacts_of(contact_told(event)):
        return {}
    return str(told["refused"]) if 0 <= now - told["at"] < HOLDS else contacts
