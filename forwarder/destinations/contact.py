"""Who a visitor is, as far as they have told: e-mail, phone, customer id."""

from collections.abc import Mapping
from typing import Final

from eventlog.event import Event
from forwarder.destinations.base import Facts, visitor_key
from forwarder.destinations.values import email, table, text

Contact = Mapping[str, str]  # email, phone, customerId: only what is known

_LEAD_NAMES: Final = {"email": "userEmail", "phone": "userPhone", "customerId": "userExternalId"}
_TELL: Final = frozenset({"lead", *_LEAD_NAMES})


def contact_told(event: Event) -> dict[str, str]:
    """E-mail, phone and customer id as an event or its lead tells them; only what is usable as an identity."""
    if _TELL.isdisjoint(event.data):  # most events tell nothing
        return {}
    lead = table(event.data.get("lead"))
    found = {name: lead.get(_LEAD_NAMES[name]) or event.data.get(name) for name in _LEAD_NAMES}
    usable = {
        "email": email(found["email"]).lower(),
        "phone": _digits(text(found["phone"])),
        "customerId": text(found["customerId"]),
    }
    return {name: value for name, value in usable.items() if value}


def contact_by_now(event: Event, facts: Facts, learned: dict[str, Contact]) -> Contact:
    """What is known of the visitor by now; what this event adds is put into `learned`, by the fact's key."""
    key = f"{visitor_key(event)}/contact"
    known = learned.get(key) or facts.get(key) or {}
    told = contact_told(event)
    contact = {**known, **told} if told else known
    if contact != known:
        learned[key] = contact
    return contact


def _digits(phone: str) -> str:
    """As a panel keeps them: digits, with a `+` if it came with one."""
    digits = "".join(character for character in phone if character in "0123456789")
    return f"+{digits}" if digits and phone.startswith("+") else digits
