"""An event to an activity, or to the rule that filters it. Pure (contracts.md, section 3, second column)."""

from collections.abc import Mapping
from typing import Any, Final

from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.netcore.params import PARAMS
from forwarder.destinations.netcore.settings import ActivityKind, NetcoreSettings
from forwarder.destinations.values import clean, email, happened, table, text, utc

NAMES: Final[Mapping[ActivityKind, str]] = {
    "visit": "Visit",
    "sale": "Purchase",
    "contact": "Contact Request",
    "feedback": "Feedback",
    "engagement": "Engagement",
    "profiling": "Profile Update",
    "register": "Lead Submitted",
    "init": "Session Start",
    "ad": "Ad Impression",
    "sensors": "Beacon Seen",
    "geo": "Location",
}
_KINDS: Final[Mapping[str, ActivityKind]] = {**{name: name for name in NAMES}, "reach": "ad", "impression": "ad"}
# Not relayed unless the settings ask for it: the opt-in's name, and the rule that is told otherwise.
_OPT_INS: Final[Mapping[ActivityKind, tuple[str, Filter]]] = {
    "init": ("session_start", Filter.NOT_AN_ACTIVITY),
    "ad": ("ad_impression", Filter.AD_EVENT),
    "sensors": ("beacon_seen", Filter.HIGH_VOLUME),
    "geo": ("location", Filter.LOCATION_PRIVACY),
}
_LEAD_NAMES: Final = {"email": "userEmail", "phone": "userPhone", "customerId": "userExternalId"}
_PRIMARY: Final = {"email": "email", "mobile": "phone", "customer_id": "customerId"}


def activity_kind(event: Event) -> ActivityKind | None:
    """The SDK ships an ad that was seen as a visit with adId and campaignId. None: nothing that is mapped."""
    kind = _KINDS.get(event.kind)
    more = table(event.data.get("additionalData"))
    return "ad" if kind == "visit" and {"adId", "campaignId"} <= more.keys() else kind


def rule_against(event: Event, settings: NetcoreSettings) -> Filter | None:
    kind = activity_kind(event)
    if kind is None:
        return Filter.UNMAPPED
    if settings.activities.get(kind) is False:
        return Filter.SWITCHED_OFF
    opt_in, rule = _OPT_INS.get(kind, ("", None))
    if rule is not None and not getattr(settings, opt_in):
        return rule
    return None if _asset(event, settings) else Filter.UNMAPPED


def activity(event: Event, contact: Mapping[str, str], settings: NetcoreSettings, now: float) -> dict[str, Any]:
    """As the vendor wants it; `contact` is what is known of the visitor. Only for events without a rule against them."""
    kind = activity_kind(event) or "visit"
    params = {**PARAMS[kind](event.data, settings.currency), "event_id": event.id}
    identity = contact.get(_PRIMARY[settings.primary_key])
    field, value = ("identity", identity) if identity else (settings.anonymous_field, event.subject)
    return {
        "activity_name": settings.activities.get(kind) or NAMES[kind],
        "asset_id": _asset(event, settings),
        "timestamp": utc(happened(event, now)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        field: clean(value) or "unknown",
        "activity_source": _source(event),
        "activity_params": clean(params) or {},
    }


def contact_told(event: Event) -> dict[str, str]:
    """E-mail, phone and customer id as an event or its lead tells them; only what is usable as an identity."""
    lead = table(event.data.get("lead"))
    found = {name: lead.get(_LEAD_NAMES[name]) or event.data.get(name) for name in _LEAD_NAMES}
    usable = {
        "email": email(found["email"]).lower(),
        "phone": _digits(text(found["phone"])),
        "customerId": text(found["customerId"]),
    }
    return {name: value for name, value in usable.items() if value}


def _digits(phone: str) -> str:
    """As a panel keeps them: digits, with a `+` if it came with one."""
    digits = "".join(character for character in phone if character in "0123456789")
    return f"+{digits}" if digits and phone.startswith("+") else digits


def _source(event: Event) -> str:
    return "app" if event.surface == "mobile" else "web"


def _asset(event: Event, settings: NetcoreSettings) -> str:
    return settings.app_asset_id if event.surface == "mobile" else settings.web_asset_id
