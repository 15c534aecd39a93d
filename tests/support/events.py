"""Events as the collector makes them, for who reads them."""

from typing import Any

from base.clock import rfc3339
from base.ids import SeededIds
from eventlog.event import Event

NOW = 1_800_000_000.0

_ids = SeededIds(7)


def make_event(kind: str = "web.visit", data: dict[str, Any] | None = None, *, age: float = 0.0, **more: Any) -> Event:
    """`kind` as in `ochn.<kind>`; `age` in seconds before NOW."""
    happened = rfc3339(NOW - age)
    surface, _, name = kind.partition(".")
    attributes: dict[str, Any] = {
        "id": _ids.event_id(NOW - age),
        "type": f"ochn.{kind}",
        "subject": "70" + "ab" * 31 if surface == "web" else "6d" + "ab" * 31,
        "time": happened,
        "receivedtime": happened,
        "tenant": "default",
        "appkeyname": "shop",
        "door": f"/{'mobileapi' if surface == 'mobile' else 'jsapi'}/{name}",
        "data": data or {},
    }
    return Event(**{**attributes, **more})


def send(action: str, additional: dict[str, Any] | None = None, surface: str = "web", **more: Any) -> Event:
    data: dict[str, Any] = {"requestType": "action", "actionType": action}
    if additional is not None:
        data["additionalData"] = additional
    return make_event(f"{surface}.{action}", data, **more)
