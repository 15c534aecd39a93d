"""An event to an activity, or to the rule that filters it. Pure (contracts.md, section 3, second column)."""

from collections.abc import Mapping
from typing import Any, Final

from base.clock import rfc3339
from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.contact import Contact
from forwarder.destinations.kinds import UNASKED, ActivityKind, activity_kind
from forwarder.destinations.netcore.settings import NetcoreEvent, NetcoreSettings
from forwarder.destinations.panel import PanelItem, mapped_fields
from forwarder.destinations.params import FIELDS, PARAMS, fields_told
from forwarder.destinations.values import clean, happened

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
_AS_IT_IS: Final = NetcoreEvent()
_PRIMARY: Final = {"email": "email", "mobile": "phone", "customer_id": "customerId"}


def rule_against(event: Event, settings: NetcoreSettings) -> Filter | None:
    kind = activity_kind(event)
    if kind is None:
        return Filter.UNMAPPED
    if settings.activities.get(kind) is False:
        return Filter.SWITCHED_OFF
    if not settings.wants(kind):
        return UNASKED[kind]
    return None if _asset(event, settings) else Filter.UNMAPPED


def activity(event: Event, contact: Contact, settings: NetcoreSettings, now: float) -> dict[str, Any]:
    """As the vendor wants it; `contact` is what is known of the visitor. Only for events without a rule against them."""
    kind = activity_kind(event) or "visit"
    params = {**_params(event, kind, settings), "event_id": event.id}
    identity = contact.get(_PRIMARY[settings.primary_key])
    field, value = ("identity", identity) if identity else (settings.anonymous_field, event.subject)
    return {
        "activity_name": settings.activities.get(kind) or NAMES[kind],
        "asset_id": _asset(event, settings),
        "timestamp": f"{rfc3339(happened(event, now)).partition('.')[0]}Z",
        field: clean(value) or "unknown",
        "activity_source": _source(event),
        "activity_params": clean(params) or {},
    }


def _params(event: Event, kind: ActivityKind, settings: NetcoreSettings) -> Mapping[str, Any]:
    mapping = settings.events.get(kind, _AS_IT_IS)
    if mapping.fields is not None:
        return mapping.applied(fields_told(event, kind, settings.currency), {})
    return {**PARAMS[kind](event.data, settings.currency), **mapping.constants}


def panel(settings: NetcoreSettings) -> list[PanelItem]:
    """An activity's parameters: those of contracts.md, but the tenants of a sale, which its items tell."""
    return [
        PanelItem("activity", settings.activities.get(kind) or name, kind, _panel_fields(kind, settings))
        for kind, name in NAMES.items()
        if settings.wants(kind)
    ]


def _panel_fields(kind: ActivityKind, settings: NetcoreSettings) -> dict[str, str]:
    default = {name: name for name in FIELDS[kind] if (kind, name) != ("sale", "tenants")}
    return {**mapped_fields(kind, settings.events.get(kind, _AS_IT_IS), default), "event_id": "text"}


def _source(event: Event) -> str:
    return "app" if event.surface == "mobile" else "web"


def _asset(event: Event, settings: NetcoreSettings) -> str:
    return settings.app_asset_id if event.surface == "mobile" else settings.web_asset_id
