"""An event to what is reported of it, or to the rule that filters it. Pure (contracts.md, section 3, third column)."""

from collections.abc import Mapping
from typing import Any, Final

from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.engagelab.settings import EngageLabEvent, EngageLabSettings
from forwarder.destinations.kinds import UNASKED, ActivityKind, activity_kind
from forwarder.destinations.panel import PanelItem, mapped_fields
from forwarder.destinations.params import FIELDS, fields_told
from forwarder.destinations.values import happened

NAMES: Final[Mapping[ActivityKind, str]] = {
    "visit": "visit",
    "sale": "purchase",
    "contact": "contact_request",
    "feedback": "feedback",
    "engagement": "engagement",
    "profiling": "profile_update",
    "register": "lead_submitted",
    "init": "session_start",
    "ad": "ad_impression",
    "sensors": "beacon_seen",
    "geo": "location",
}
_AS_IT_IS: Final = EngageLabEvent()


def rule_against(event: Event, settings: EngageLabSettings) -> Filter | None:
    """An init has none: it tells who somebody is."""
    kind = activity_kind(event)
    if kind is None:
        return Filter.UNMAPPED
    if kind != "init" and kind not in settings.events:
        return UNASKED.get(kind)
    return None if settings.events.get(kind, _AS_IT_IS).wanted else Filter.SWITCHED_OFF


def is_reported(event: Event, settings: EngageLabSettings) -> bool:
    """False for an init that only introduces its visitor."""
    return activity_kind(event) != "init" or "init" in settings.events


def reported(event: Event, euid: int, settings: EngageLabSettings, now: float) -> dict[str, Any]:
    kind = activity_kind(event) or "visit"
    mapping = settings.events.get(kind, _AS_IT_IS)
    return {
        "euid": euid,
        "event_name": mapping.name or NAMES[kind],
        "itime": int(happened(event, now) * 1000),
        "random_id": event.id,
        "properties": mapping.applied(fields_told(event, kind, settings.currency), _default(kind)),
    }


def panel(settings: EngageLabSettings) -> list[PanelItem]:
    by_default = [kind for kind in NAMES if kind not in UNASKED]
    chosen = {kind: settings.events.get(kind, _AS_IT_IS) for kind in [*by_default, *settings.events]}
    return [
        PanelItem("event", mapping.name or NAMES[kind], kind, mapped_fields(kind, mapping, _default(kind)))
        for kind, mapping in chosen.items()
        if mapping.wanted
    ]


def _default(kind: ActivityKind) -> Mapping[str, str]:
    """All but lists of objects, for which EngageLab has no type."""
    return {name: name for name, of_type in FIELDS[kind].items() if of_type != "items"}
