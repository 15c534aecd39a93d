"""An event to an interaction, or to the rule that filters it. Pure (contracts.md, section 3, last column)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from base.clock import rfc3339
from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.contact import Contact
from forwarder.destinations.kinds import UNASKED, ActivityKind, activity_kind
from forwarder.destinations.panel import PanelItem, mapped_fields
from forwarder.destinations.params import FIELDS, fields_told
from forwarder.destinations.ray.settings import RaySettings, is_country
from forwarder.destinations.values import clean, happened, table, text

_RULES: Final[Mapping[ActivityKind, Filter]] = {**UNASKED, "visit": Filter.HIGH_VOLUME}
_SALE: Final = {"amount": "total_amount", "tenants": "tenants"}
_SEXES: Final = {"m": "M", "male": "M", "f": "F", "female": "F", "o": "O", "other": "O", "others": "O"}
_PROFILES: Final = ("instagramProfile", "linkedInProfile", "facebookProfile", "twitterProfile", "googleProfile")


def rule_against(event: Event, contact: Contact, settings: RaySettings) -> Filter | None:
    kind = activity_kind(event)
    if kind not in settings.events:
        return Filter.UNMAPPED if kind is None else _RULES.get(kind, Filter.UNMAPPED)
    return None if contact.keys() & {"email", "phone"} else Filter.NO_CONTACT


def interaction(event: Event, contact: Contact, settings: RaySettings, now: float) -> dict[str, Any]:
    """As the vendor wants it; `contact` is what is known of the visitor. Only for events without a rule against them."""
    kind = activity_kind(event) or "visit"
    mapping = settings.events[kind]
    props = mapping.applied(fields_told(event, kind, settings.currency), _default(kind))
    return {
        "type": mapping.type,
        "subType": mapping.sub_type,
        "storeId": settings.store_id,
        "source": "OTHER",
        "timestamp": rfc3339(happened(event, now)),
        "customProps": {**props, "event_id": event.id},
        "user": clean({**_person(table(event.data.get("lead")), settings), **_reach(contact)}),
    }


def panel(settings: RaySettings) -> list[PanelItem]:
    return [
        PanelItem("type / subType", f"{mapping.type} / {mapping.sub_type}", kind, _panel_fields(kind, settings))
        for kind, mapping in settings.events.items()
    ]


def _panel_fields(kind: ActivityKind, settings: RaySettings) -> dict[str, str]:
    return {**mapped_fields(kind, settings.events[kind], _default(kind)), "event_id": "text"}


def _default(kind: ActivityKind) -> Mapping[str, str]:
    return _SALE if kind == "sale" else {name: name for name in FIELDS[kind]}


def _reach(contact: Contact) -> dict[str, str]:
    return {name: contact[name] for name in ("email", "phone") if name in contact}


def _person(lead: Mapping[str, Any], settings: RaySettings) -> dict[str, str]:
    """What RAY can take of a lead: whatever it has no value for is left out, so that the rest arrives."""
    return {
        "name": text(lead.get("userFirstName")),
        "lastName": text(lead.get("userLastName")),
        "gender": _SEXES.get(text(lead.get("userSex")).lower(), ""),
        "birthDate": _day(text(lead.get("userBirthday"))),
        "country": _country(text(lead.get("userCountry")), settings),
        "facebookProfile": text(lead.get("facebookUrl")),
        **{name: text(lead[name]) for name in _PROFILES if name in lead},
    }


def _day(value: str) -> str:
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d}T00:00:00.000Z"
    except ValueError:
        return ""


def _country(value: str, settings: RaySettings) -> str:
    code = settings.countries.get(value.casefold(), value.upper())
    return code if is_country(code) else ""
