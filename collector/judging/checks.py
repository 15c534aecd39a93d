"""What makes a readable event unfit to be relayed: one table, by the event's kind (contracts.md, section 1).

Sensors have no range or format checks: the vendor's own samples would fail any.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from base.reasons import Quarantine, Warned
from collector.judging.person import normal_email
from collector.judging.remarks import Remark
from collector.limits import HELD_BACK

ACTIONS: Final = frozenset({"visit", "sale", "contact", "feedback", "engagement", "profiling"})
AD_REQUESTS: Final = frozenset({"reach", "impression"})
UNKNOWN: Final = "unknown"
_ACTION_OF: Final = {
    "brands": "visit",
    "tenants": "visit",
    "interests": "visit",
    "receipts": "sale",
    "rating": "feedback",
    "appointmentDate": "contact",
    "senderType": "contact",
    "percentCompleted": "profiling",
    "description": "engagement",
}


def _folded(name: str) -> str:
    """What names that mean the same have in common."""
    return name.replace("_", "").replace("-", "").lower().removesuffix("s")


_SPELT: Final = {_folded(name): name for name in _ACTION_OF}

Data = Mapping[str, Any]
Check = Callable[[Data], list[Remark]]


def send_kind(data: Data) -> str:
    """The last part of a send's event type: its ad request or its action, `unknown` when it is neither."""
    request, action = data.get("requestType"), data.get("actionType")
    if isinstance(request, str) and request in AD_REQUESTS:
        return request
    return action if isinstance(action, str) and action in ACTIONS else UNKNOWN


def check(kind: str, data: Data, most_sensors: int) -> list[Remark]:
    """`kind` as in the event's type; `data` in its canonical names and shapes."""
    remarks = []
    if data.get("uType") not in ("c", "p", None, ""):
        remarks.append(Remark(Quarantine.BAD_USER_TYPE, "uType"))
    for each in _CHECKS.get(kind, ()):
        remarks += each(data)
    sensors = data.get("sensors")
    if isinstance(sensors, list) and len(sensors) > most_sensors:
        remarks.append(Remark(HELD_BACK["sensors"], "sensors"))
    if (email := data.get("email")) and not normal_email(email):
        remarks.append(Remark(Warned.BAD_EMAIL, "email"))
    return remarks


def _request(data: Data) -> list[Remark]:
    request, action = data.get("requestType"), data.get("actionType")
    ad = isinstance(request, str) and request in AD_REQUESTS
    remarks = []
    if request != "action" and not ad:
        remarks.append(Remark(Quarantine.UNKNOWN_REQUEST_TYPE, "requestType"))
    if not (isinstance(action, str) and action in ACTIONS) and not (ad and action in (None, "")):
        remarks.append(Remark(Quarantine.UNKNOWN_ACTION_TYPE, "actionType"))
    return remarks


def _data_of_action(data: Data) -> list[Remark]:
    action, remarks = data["actionType"], []
    for name in _additional(data):  # a loop, and most often for nothing: two comprehensions are two calls
        belongs = _ACTION_OF.get(name)
        if belongs is None:
            if meant := _SPELT.get(_folded(name)):
                remarks.append(Remark(Warned.MISSPELT_FIELD, f"additionalData[{name}] for additionalData[{meant}]"))
        elif belongs != action:
            remarks.append(Remark(Warned.DATA_OF_OTHER_ACTION, f"additionalData[{name}]"))
    return remarks


def _rating(data: Data) -> list[Remark]:
    fits = _is_within(_additional(data).get("rating", 1), 1, 10)
    return [] if fits else [Remark(Quarantine.RATING_OUT_OF_RANGE, "additionalData[rating]")]


def _percent(data: Data) -> list[Remark]:
    fits = _is_within(_additional(data).get("percentCompleted", 0), 0, 100)
    return [] if fits else [Remark(Quarantine.PERCENT_OUT_OF_RANGE, "additionalData[percentCompleted]")]


def _contact(data: Data) -> list[Remark]:
    additional = _additional(data)
    remarks = []
    if "appointmentDate" in additional and not _is_date(additional["appointmentDate"]):
        remarks.append(Remark(Quarantine.BAD_APPOINTMENT_DATE, "additionalData[appointmentDate]"))
    if additional.get("senderType", "person") not in ("person", "organization"):
        remarks.append(Remark(Quarantine.BAD_SENDER_TYPE, "additionalData[senderType]"))
    return remarks


def _receipts(data: Data) -> list[Remark]:
    receipts = _additional(data).get("receipts", [])
    fits = isinstance(receipts, list) and all(_is_receipt(item) for item in receipts)
    return [] if fits else [Remark(Quarantine.BAD_RECEIPTS, "additionalData[receipts]")]


def _location(data: Data) -> list[Remark]:
    fits = _is_within(data.get("lat"), -90, 90) and _is_within(data.get("lon"), -180, 180)
    return [] if fits else [Remark(Quarantine.BAD_LOCATION, "lat, lon")]


def _sensors(data: Data) -> list[Remark]:
    return [] if data.get("sensors") else [Remark(Quarantine.MISSING_SENSORS, "sensors")]


def _lead(data: Data) -> list[Remark]:
    return [] if data.get("lead") else [Remark(Quarantine.EMPTY_LEAD, "lead")]


_ACTION: Final[tuple[Check, ...]] = (_request, _data_of_action)
_CHECKS: Final[dict[str, tuple[Check, ...]]] = {
    "visit": _ACTION,
    "engagement": _ACTION,
    "sale": (*_ACTION, _receipts),
    "contact": (*_ACTION, _contact),
    "feedback": (*_ACTION, _rating),
    "profiling": (*_ACTION, _percent),
    "reach": (_request,),
    "impression": (_request,),
    UNKNOWN: (_request,),
    "sensors": (_sensors,),
    "geo": (_location,),
    "register": (_lead,),
}


def _additional(data: Data) -> Data:
    additional = data.get("additionalData")
    return additional if isinstance(additional, dict) else {}


def _is_within(value: Any, least: float, most: float) -> bool:
    found = number(value)
    return found is not None and least <= found <= most


def number(value: Any) -> float | None:
    """A number, or its digits as a form carries them; None for the rest of what Python would take for one."""
    if isinstance(value, str):
        if len(value) > 40 or not value.isascii() or "_" in value:
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _is_receipt(item: Any) -> bool:
    return isinstance(item, dict) and bool(item.get("name")) and number(item.get("value")) is not None


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or len(value) != 19:
        return False
    try:
        datetime.strptime(value, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the page's format has no zone
    except ValueError:
        return False
    return True
