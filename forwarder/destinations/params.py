"""What an event tells, as named fields, by kind (contracts.md, section 3): without NUL, null or anything empty."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from eventlog.event import Event
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.values import clean, number, table, text, texts

Params = Mapping[str, Any]
Data = Mapping[str, Any]
FieldType = Literal["text", "number", "time", "texts", "items"]  # `items`: a list of objects

_AGREEMENTS: Final = {
    "agreeTandc": "terms",
    "agreePrivacy": "privacy",
    "agreedTargetedMessages": "targeted_messages",
}
_YES: Final = frozenset({"true", "1", "yes", "on"})
_LISTS: Final = ("brands", "tenants", "interests")
_PAGE: Final = (("url", "page_url"), ("title", "page_title"), ("referrer", "referrer"))
_DECIMALS: Final = 3  # of a position: about 100 m


def _visit(data: Data, _currency: str | None) -> Params:
    told: dict[str, Any] = {}
    more, page = _additional(data), table(data.get("page"))
    for name in _LISTS:
        if listed := texts(more.get(name)):
            told[name] = listed
    for ours, theirs in _PAGE:
        if found := text(page.get(ours)):
            told[theirs] = found
    for name, value in table(data.get("utm")).items():
        if found := text(value):
            told[f"utm_{str(name).removeprefix('utm_')}".replace("\0", "")] = found
    return told


def _sale(data: Data, currency: str | None) -> Params:
    items = [
        _told({"tenant": text(receipt.get("name")), "price": number(receipt.get("value"))})
        for receipt in _tables(_additional(data).get("receipts"))
    ]
    if not items:
        return _told({"currency": currency})
    total = sum(item["price"] for item in items if "price" in item)
    known = [item for item in items if item]
    return _told(
        {"total_amount": clean(round(total, 6)), "currency": currency, "total_item_qty": len(items), "items": known}
    )


def _contact(data: Data, _currency: str | None) -> Params:
    more = _additional(data)
    return _told({"appointment_date": text(more.get("appointmentDate")), "sender_type": text(more.get("senderType"))})


def _feedback(data: Data, _currency: str | None) -> Params:
    return _told({"rating": number(_additional(data).get("rating"))})


def _engagement(data: Data, _currency: str | None) -> Params:
    return _told({"description": text(_additional(data).get("description"))})


def _profiling(data: Data, _currency: str | None) -> Params:
    return _told({"percent_completed": number(_additional(data).get("percentCompleted"))})


def _register(data: Data, _currency: str | None) -> Params:
    lead = table(data.get("lead"))
    ids = {"location_id": text(lead.get("locationId")), "offer_id": text(lead.get("offerId"))}
    return _told({"tags": texts(lead.get("tags")), **ids, "consents": list(_consents(lead))})


def _consents(lead: Mapping[str, Any]) -> Iterator[str]:
    """What was agreed to: `terms`, `privacy`, `targeted_messages`, and channels as `email:owner`."""
    yield from (name for field, name in _AGREEMENTS.items() if _agreed(lead.get(field)))
    for channel in _tables(lead.get("marketingChannels")):
        if _agreed(channel.get("agreed")):
            yield ":".join(filter(None, (text(channel.get("channel")), text(channel.get("type")))))


def _init(_data: Data, _currency: str | None) -> Params:
    return {}


def _ad(data: Data, _currency: str | None) -> Params:
    more = {**data, **_additional(data)}
    return _told(
        {
            "request_type": text(data.get("requestType")),
            "ad_id": text(more.get("adId")),
            "campaign_id": text(more.get("campaignId")),
            "scroll_view_percentage": number(more.get("scrollViewPercentage")),
            "screen_on_time": number(more.get("screenOnTime")),
        }
    )


def _sensors(data: Data, _currency: str | None) -> Params:
    """The strongest beacon of the call, and how many there were. Never a macAddress: it is somebody's phone."""
    sensors = _tables(data.get("sensors"))
    heard = [(rssi, sensor) for sensor in sensors if (rssi := number(sensor.get("rssi"))) is not None]
    rssi, strongest = max(heard, key=lambda pair: pair[0], default=(None, sensors[0] if sensors else {}))
    return _told({"rssi": rssi, "beacon_count": len(sensors), "store": text(strongest.get("name"))})


def _geo(data: Data, _currency: str | None) -> Params:
    position = {name: number(data.get(name)) for name in ("lat", "lon")}
    return {name: round(float(value), _DECIMALS) for name, value in position.items() if value is not None}


def _told(fields: Params) -> Params:
    """Those that have a value."""
    return {name: value for name, value in fields.items() if value or value == 0}


def _additional(data: Data) -> Data:
    return table(data.get("additionalData"))


def _tables(value: Any) -> list[Mapping[str, Any]]:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _agreed(value: Any) -> bool:
    return value is True or text(value).lower() in _YES


PARAMS: Final[Mapping[str, Callable[[Data, str | None], Params]]] = {
    "visit": _visit,
    "sale": _sale,
    "contact": _contact,
    "feedback": _feedback,
    "engagement": _engagement,
    "profiling": _profiling,
    "register": _register,
    "init": _init,
    "ad": _ad,
    "sensors": _sensors,
    "geo": _geo,
}

# Every field that a mapping can name. Of every kind: what tells events and visitors apart.
FIELDS_OF_ALL: Final[Mapping[str, FieldType]] = {"event_id": "text", "visitor_id": "text", "surface": "text"}
FIELDS: Final[Mapping[ActivityKind, Mapping[str, FieldType]]] = {
    "visit": {
        **dict.fromkeys(_LISTS, "texts"),
        **dict.fromkeys((theirs for _, theirs in _PAGE), "text"),
        **dict.fromkeys(("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"), "text"),
    },
    "sale": {
        "total_amount": "number",
        "currency": "text",
        "total_item_qty": "number",
        "tenants": "texts",
        "items": "items",
    },
    "contact": {"appointment_date": "time", "sender_type": "text"},
    "feedback": {"rating": "number"},
    "engagement": {"description": "text"},
    "profiling": {"percent_completed": "number"},
    "register": {"tags": "texts", "location_id": "text", "offer_id": "text", "consents": "texts"},
    "init": {},
    "ad": {
        "request_type": "text",
        "ad_id": "text",
        "campaign_id": "text",
        "scroll_view_percentage": "number",
        "screen_on_time": "number",
    },
    "sensors": {"rssi": "number", "beacon_count": "number", "store": "text"},
    "geo": {"lat": "number", "lon": "number"},
}


def fields_told(event: Event, kind: ActivityKind, currency: str | None) -> dict[str, Any]:
    """The fields of FIELDS that `event` has a value for, and those of every kind."""
    found = {**PARAMS[kind](event.data, currency)}
    if kind == "sale":
        found["tenants"] = list(dict.fromkeys(item["tenant"] for item in found.get("items", ()) if "tenant" in item))
    ours = {"event_id": event.id, "visitor_id": event.subject, "surface": event.surface}
    return {**_told({name: found[name] for name in FIELDS[kind] if name in found}), **(clean(ours) or {})}
