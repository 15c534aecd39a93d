"""An event to the body of a call, or to the rule against it. Pure (contracts.md, section 3, fourth column)."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from base.reasons import Dead, Filter
from eventlog.event import Event
from forwarder.destinations.base import Outcome, dead, filtered
from forwarder.destinations.contact import Contact
from forwarder.destinations.expertsender.data_fields import WrongType, constant_type, written
from forwarder.destinations.expertsender.settings import DataField, ExpertSenderEvent, ExpertSenderSettings, PersonKey
from forwarder.destinations.kinds import UNASKED, ActivityKind, activity_kind
from forwarder.destinations.panel import PanelItem
from forwarder.destinations.params import fields_told

# The dataFields of a kind whose mapping names none.
DEFAULTS: Final[Mapping[ActivityKind, Mapping[str, DataField]]] = {
    "sale": {
        "Total": DataField(field="total_amount", type="Money"),
        "Tenants": DataField(field="tenants", type="String"),
    },
    "contact": {
        "Appointment": DataField(field="appointment_date", type="DateTime"),
        "Sender": DataField(field="sender_type", type="String"),
    },
    "feedback": {"Rating": DataField(field="rating", type="Number")},
    "engagement": {"Description": DataField(field="description", type="Text")},
    "profiling": {"Percent": DataField(field="percent_completed", type="Number")},
}
EVENT_ID: Final = "Event ID"  # the dataField that carries our event's id
# The vendor's field for each key, and its longest value.
_KEYS: Final[Mapping[PersonKey, tuple[str, str, int]]] = {
    "email": ("email", "customerEmail", 320),
    "phone": ("phone", "customerPhone", 20),
    "crm_id": ("customerId", "customerCrmId", 128),
}
_HASHES: Final = {"md5": ("customerEmailMd5", hashlib.md5), "sha256": ("customerEmailSha256", hashlib.sha256)}


def rule_against(event: Event, contact: Contact, settings: ExpertSenderSettings) -> Outcome | None:
    kind = activity_kind(event)
    if kind is None or kind not in settings.events:
        return filtered(Filter.UNMAPPED if kind is None else UNASKED.get(kind, Filter.UNMAPPED))
    known = [key for key in settings.identify_by if _KEYS[key][0] in contact]
    if settings.events[kind].segments or _person(contact, settings):
        return None
    if known:
        return dead(Dead.CONTACT_TOO_LONG, ", ".join(f"{_KEYS[key][1]}: over {_KEYS[key][2]}" for key in known))
    return filtered(Filter.NO_CONTACT)


def body(event: Event, contact: Contact, settings: ExpertSenderSettings) -> dict[str, Any]:
    """WrongType for a value that its declared type can't hold. Only for events without a rule against them."""
    kind = activity_kind(event) or "visit"
    mapping = settings.events[kind]
    target = {"segments": list(mapping.segments)} if mapping.segments else _person(contact, settings)
    told = fields_told(event, kind, settings.currency)
    return {"customEventId": mapping.id, **target, "dataFields": list(_data_fields(kind, mapping, told))}


def panel(settings: ExpertSenderSettings) -> list[PanelItem]:
    return [
        PanelItem("custom event", str(mapping.id), kind, _panel_fields(kind, mapping))
        for kind, mapping in settings.events.items()
    ] + [
        PanelItem("segment", str(segment), kind, {})
        for kind, mapping in settings.events.items()
        for segment in mapping.segments
    ]


def _panel_fields(kind: ActivityKind, mapping: ExpertSenderEvent) -> dict[str, str]:
    fields = {name: str(field.type) for name, field in _fields(kind, mapping).items()}
    constants = {name: str(constant_type(value)) for name, value in mapping.constants.items()}
    return {**fields, **constants, EVENT_ID: "String"}


def _fields(kind: ActivityKind, mapping: ExpertSenderEvent) -> Mapping[str, DataField]:
    return DEFAULTS.get(kind, {}) if mapping.fields is None else mapping.fields


def _data_fields(kind: ActivityKind, mapping: ExpertSenderEvent, told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, field in _fields(kind, mapping).items():
        if field.field in told:
            try:
                value = written(told[field.field], field.type)
            except WrongType as error:
                raise WrongType(f"{name}: {error}") from error
            yield {"name": name, "type": field.type, "value": value}
    for name, constant in mapping.constants.items():
        of_type = constant_type(constant)
        yield {"name": name, "type": of_type, "value": written(constant, of_type)}
    yield {"name": EVENT_ID, "type": "String", "value": told["event_id"]}


def _person(contact: Contact, settings: ExpertSenderSettings) -> dict[str, str]:
    """One key, the first that is known and not too long; a hash is never too long."""
    for key in settings.identify_by:
        ours, theirs, longest = _KEYS[key]
        value = contact.get(ours, "")
        if key == "email" and value and settings.hash_email != "no":
            name, digest = _HASHES[settings.hash_email]
            return {name: digest(value.encode()).hexdigest()}
        if value and len(value) <= longest:
            return {theirs: value}
    return {}
