"""Fields as they came to fields as the destinations know them: one name, one shape; values stay as they are.

The vendor's page, its samples and its SDK spell and shape the same things differently (contracts.md, "What arrives on
the wire"). What nobody knows is kept under its own name.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from base.reasons import Quarantine, Warned
from collector.judging.remarks import Remark

ALIASES: Final = {"aditionalData": "additionalData", "userEmail": "email", "userPhone": "phone", "appKey": "appkey"}
OBJECTS: Final = frozenset({"additionalData", "technicalInfo", "page", "utm", "lead"})
_SINGLES: Final = frozenset(
    {"email", "phone", "customerId", "pushNotificationToken", "uType", "requestType", "actionType", "lat", "lon", "pid"}
)
_NESTED: Final = frozenset({dict, list})
KNOWN: Final = OBJECTS | _SINGLES | {"sensors", "accuracy", "uid", "mid", "eid", "ts", "sentAt", "consent"}
_BESIDE_LEAD: Final = frozenset({"uid", "mid", "pid", "eid", "ts", "sentAt", "uType", "page", "utm", "technicalInfo"})
_NOT_OF_LEAD: Final = _BESIDE_LEAD | {"appkey", "appKey"}


def canonical_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without the app key. An alias beside its own canonical name is left as it is."""
    data = {}
    for name, value in fields.items():
        if name not in ALIASES:
            data[name] = value
        else:
            canonical = ALIASES[name]
            data[name if canonical in fields else canonical] = value
    data.pop("appkey", None)
    data.pop("appKey", None)
    return data


def fold_lead(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A lead's fields stand in `lead[…]`, or flat: then all but what is ours goes into `lead`."""
    if "lead" in fields:
        return canonical_names(fields)
    data = {name: value for name, value in fields.items() if name in _BESIDE_LEAD}
    data["lead"] = {name: value for name, value in fields.items() if name not in _NOT_OF_LEAD}
    return data


def straighten(data: dict[str, Any]) -> list[Remark]:
    """Changes shapes in place; tells which it could not, and what else the author should know."""
    if "aditionalData" in data:
        _merge_spellings(data)
    remarks = []
    for name, value in tuple(data.items()):
        if name in _SINGLES:
            if type(value) in _NESTED:
                remarks.append(Remark(Quarantine.BAD_SHAPE, name))
        elif name in OBJECTS:
            if type(value) is not dict and not _as_object(data, name):
                remarks.append(Remark(Quarantine.BAD_SHAPE, name))
        elif name not in KNOWN:
            remarks.append(Remark(Warned.UNKNOWN_FIELD, name))
    if "sensors" in data:
        remarks += _straighten_sensors(data)
    if "email" in data:
        remarks += _straighten_email(data)
    return sorted(remarks, key=lambda remark: remark.field) if len(remarks) > 1 else remarks


def _merge_spellings(data: dict[str, Any]) -> None:
    """`aditionalData` beside `additionalData`: one field (contracts.md). Only what both name, and mean otherwise, stays
    under the other spelling."""
    if not all(type(data[name]) is dict or _as_object(data, name) for name in ("aditionalData", "additionalData")):
        return
    page, sdk = data.pop("aditionalData", {}), data.pop("additionalData", {})
    if page or sdk:
        data["additionalData"] = {**page, **sdk}
    if differing := {name: value for name, value in page.items() if sdk.get(name, value) != value}:
        data["aditionalData"] = differing


def _as_object(data: dict[str, Any], name: str) -> bool:
    value = data[name]
    if value is None or value in ("", []):  # PHP writes an empty object as []
        del data[name]
        return True
    if isinstance(value, list) and all(
        isinstance(item, dict) and isinstance(item.get("attributeName"), str) for item in value
    ):
        data[name] = _from_attributes(value)
        return True
    return False


def _from_attributes(items: list[dict[str, Any]]) -> dict[str, Any]:
    """[{attributeName, attributeValue}], the SDK's shape; a repeated name is a list."""
    values: dict[str, list[Any]] = {}
    for item in items:
        values.setdefault(item["attributeName"], []).append(item.get("attributeValue"))
    return {name: value[0] if len(value) == 1 else value for name, value in values.items()}


def _straighten_sensors(data: dict[str, Any]) -> list[Remark]:
    sensors = data["sensors"]
    if isinstance(sensors, dict):
        sensors = data["sensors"] = _transposed(sensors)
    if sensors is None or sensors == "":
        del data["sensors"]
    elif not isinstance(sensors, list) or not all(isinstance(item, dict) for item in sensors):
        return [Remark(Quarantine.BAD_SHAPE, "sensors")]
    return []


def _transposed(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """`sensors[uuid][0]` means `sensors[0][uuid]` (the vendor's Node sample); a lone `sensors[uuid]` is the first's.
    Indexes that leave some out (`sensors[0]`, `sensors[x]`) fall in here too: then the rows are in order of arrival. No
    other name may go: by it privacy knows what it must not keep."""
    indexed = all(len(name) == 1 or name.isdecimal() for name in columns)
    if columns and indexed and all(isinstance(column, dict) for column in columns.values()):
        return list(columns.values())
    rows: list[dict[str, Any]] = []
    for name, column in columns.items():
        for index, value in enumerate(column if isinstance(column, list) else [column]):
            if index == len(rows):
                rows.append({})
            rows[index][name] = value
    return rows


def _straighten_email(data: dict[str, Any]) -> list[Remark]:
    email = data["email"]
    if isinstance(email, str) and "%40" in email:
        data["email"] = unquote(email)
        return [Remark(Warned.DOUBLE_ENCODED_EMAIL, "email")]
    return []
