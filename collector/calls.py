"""The calls behind the tracking routes: whose they are and what they do."""

from dataclasses import dataclass
from typing import Final, Literal

from collector.routes import TrackingRoute

Surface = Literal["web", "mobile"]
Kind = Literal["init", "send", "sensors", "geo", "register", "prepopulate", "batch"]


@dataclass(frozen=True, slots=True)
class Call:
    surface: Surface
    kind: Kind


_CALLS: Final = {
    "jsapi_init": Call("web", "init"),
    "jsapi_send": Call("web", "send"),
    "jsapi_register": Call("web", "register"),
    "jsapi_prepopulate": Call("web", "prepopulate"),
    "jsapi_batch": Call("web", "batch"),
    "mobileapi_init": Call("mobile", "init"),
    "mobileapi_send": Call("mobile", "send"),
    "mobileapi_sensors": Call("mobile", "sensors"),
    "mobileapi_geo": Call("mobile", "geo"),
    "mobileapi_batch": Call("mobile", "batch"),
}

_IN_BATCH: Final = {
    "web": {name: Call("web", name) for name in ("init", "send")},
    "mobile": {name: Call("mobile", name) for name in ("init", "send")},
}
_ANYWHERE: Final = {
    "sensors": Call("mobile", "sensors"),
    "geo": Call("mobile", "geo"),
    "register": Call("web", "register"),
}


def call_of(route: TrackingRoute) -> Call:
    return _CALLS[route.name]


def call_in_batch(surface: Surface, name: object) -> Call | None:
    """A batch's entry without `call` is a send; sensors, geo and register say whose they are by themselves."""
    if not isinstance(name, str):
        return _IN_BATCH[surface]["send"] if name is None else None
    return _IN_BATCH[surface].get(name) or _ANYWHERE.get(name)
