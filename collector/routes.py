"""Every path of the collector's door, in one table (contracts.md, section 1)."""

from dataclasses import dataclass
from typing import Final, Literal

from collector.settings import LimitSettings

BodyClass = Literal["call", "batch", "lead"]


@dataclass(frozen=True, slots=True)
class TrackingRoute:
    """`name` is the metrics' label."""

    name: str
    body: BodyClass = "call"


TRACKING_METHODS: Final = ("OPTIONS", "POST", "PUT")

_TRACKING: Final = {
    "/jsapi/init": TrackingRoute("jsapi_init"),
    "/jsapi/send": TrackingRoute("jsapi_send"),
    "/jsapi/register": TrackingRoute("jsapi_register", "lead"),
    "/jsapi/prepopulate": TrackingRoute("jsapi_prepopulate"),
    "/jsapi/batch": TrackingRoute("jsapi_batch", "batch"),
    "/mobileapi/init": TrackingRoute("mobileapi_init"),
    "/mobileapi/send": TrackingRoute("mobileapi_send"),
    "/mobileapi/sensors": TrackingRoute("mobileapi_sensors"),
    "/mobileapi/geo": TrackingRoute("mobileapi_geo"),
    "/mobileapi/batch": TrackingRoute("mobileapi_batch", "batch"),
}

_AD_SERVING: Final = frozenset(
    f"/mobileapi/{name}"
    for name in (
        "content-delivery",
        "sponsored-products-id",
        "sponsored-products-json",
        "sponsored-products-ad",
        "recommendation-products",
        "recommendation-products-ids",
        "recommendation-products-json",
        "recommendation-products/search",
        "proximity-location",
    )
)


def find_tracking(path: str) -> TrackingRoute | None:
    return _TRACKING.get(path.removesuffix("/"))


def tracking_paths() -> tuple[str, ...]:
    """As clients write them: with and without a trailing slash."""
    return tuple(f"{path}{slash}" for path in _TRACKING for slash in ("", "/"))


def is_ad_serving(path: str) -> bool:
    """The official SDK sends these to the same base URL; the vendor answers them, we don't."""
    return path.removesuffix("/") in _AD_SERVING


def body_limit(route: TrackingRoute | None, limits: LimitSettings) -> int:
    """Bytes; what goes to no route of ours is held to the least."""
    if route is None or route.body == "call":
        return limits.body_bytes
    return limits.batch_body_bytes if route.body == "batch" else limits.lead_body_bytes
