"""An event to an activity, or to the rule that filters it. Pure (contracts.md, section 3, second column)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from base.clock import rfc3339_second
from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.contact import Contact
from forwarder.destinations.kinds import UNASKED, ActivityKind, activity_kind
from forwarder.destinations.netcore.settings import NetcoreEvent, NetcoreSettings
from forwarder.destinations.panel import PanelItem, mapped_fields
from forwarder.destinations.params import FIELDS, PARAMS, fields_told
from forwarder.destinations.values import clean

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
Source = Literal["web", "app"]
_PRIMARY: Final = {"email": "email", "mobile": "phone", "customer_id": "customerId"}


@dataclass(frozen=True, slots=True)
class Activity:
    """How events of one kind and surface go out."""

    name: str
    asset: str
    source: Source
    params: Callable[[Event], Mapping[str, Any]]


class Activities:
    """What events become as the settings say, which are looked through once. Pure."""

    def __init__(self, settings: NetcoreSettings) -> None:
        self._primary = _PRIMARY[settings.primary_key]
        self._anonymous = settings.anonymous_field
        self._web = {kind: _activity(kind, "web", settings) for kind in NAMES}
        self._app = {kind: _activity(kind, "app", settings) for kind in NAMES}

    def of(self, event: Event) -> Activity | Filter:
        """The rule, if one is against it."""
        kind = activity_kind(event)
        if kind is None:
            return Filter.UNMAPPED
        return (self._app if event.surface == "mobile" else self._web)[kind]

    def body(self, activity: Activity, event: Event, contact: Contact, moment: float) -> dict[str, Any]:
        """As the vendor wants it; `contact` is what is known of the visitor, `moment` when it happened (seconds since
        the epoch)."""
        identity = contact.get(self._primary)
        field, value = ("identity", identity) if identity else (self._anonymous, event.subject)
        return {
            "activity_name": activity.name,
            "asset_id": activity.asset,
            "timestamp": rfc3339_second(moment),
            field: clean(value) or "unknown",
            "activity_source": activity.source,
            "activity_params": {**activity.params(event), "event_id": event.id},
        }


def _activity(kind: ActivityKind, source: Source, settings: NetcoreSettings) -> Activity | Filter:
    name = settings.activities.get(kind)
    if name is False:
        return Filter.SWITCHED_OFF
    if not settings.wants(kind):
        return UNASKED[kind]
    asset = settings.app_asset_id if source == "app" else settings.web_asset_id
    return Activity(name or NAMES[kind], asset, source, _params(kind, settings)) if asset else Filter.UNMAPPED


def _params(kind: ActivityKind, settings: NetcoreSettings) -> Callable[[Event], Mapping[str, Any]]:
    mapping, currency = settings.events.get(kind, _AS_IT_IS), settings.currency
    if mapping.fields is not None:
        return lambda event: clean(mapping.applied(fields_told(event, kind, currency), {})) or {}
    told, constants = PARAMS[kind], clean(mapping.constants) or {}
    return lambda event: {**told(event.data, currency), **constants}


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
