"""What each recorded request becomes upstream, written by hand from contracts.md, section 3, and the vendors' pages.

`{mid}` stands for the id that Footprints' own mobile init answers, `{event}` for our event's id. Forms are as the
sandbox decodes them: brackets to lists and tables, every value a text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY = "571e64183647a855d0sgf3a3"
# The ids of the page's samples, which Footprints gave itself.
VISITOR = "a5c2dd6ebhsgtdr4ca6142a42910a972fecc71aa32ea88a0c681f77395bc218667"
DEVICE = "p93eeea7322fed62b9b240d613b6c925b1cf125aed3bf030c64d8a51b35981c73"

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """Of Footprints."""

    method: str
    path: str
    body: Body


_VISIT: Body = {
    "requestType": "action",
    "actionType": "visit",
    "aditionalData": {"brands": ["Zara", "Adidas"], "tenants": ["H&M", "C&A"]},
}
_TWO_BEACONS = [
    {
        "uuid": "2376-34342-1233-23424",
        "rssi": "5",
        "distance": "4",
        "macAddress": "345987345345-23482746-345934587",
        "txPower": "2",
        "name": "mimi",
        "minor": "3.2",
        "major": "4.1",
    },
    {
        "uuid": "2376-34342-1233-23422",
        "rssi": "5",
        "distance": "44",
        "macAddress": "345987345345-23482746-345934587",
        "txPower": "6",
        "name": "cici",
        "minor": "1.1",
        "major": "2.2",
    },
]
_NODES_BEACON = {
    "uuid": "4457-7784-5577-6655",
    "rssi": "5461567",
    "distance": "22",
    "txPower": "568",
    "name": "Sensor1",
    "minor": "10.2",
    "major": "22.3",
    "macAddress": "00-14-22-01-23-45",
}

_WEB_INIT = Call("POST", "/jsapi/init", {"appkey": KEY, "email": "test.email@test.com"})
_WEB_SEND = Call("POST", "/jsapi/send", {"appkey": KEY, "uid": VISITOR, "uType": "c", **_VISIT})
_NAMED = {"appkey": KEY, "userEmail": "test.email@test.com"}
_MOBILE_INIT = Call("POST", "/mobileapi/init", {**_NAMED, "pushNotificationToken": "123456"})
_MOBILE_SEND = Call("POST", "/mobileapi/send", {"appkey": KEY, "mid": VISITOR, **_VISIT})
_GEO = Call(
    "PUT",
    "/mobileapi/geo",
    {"appkey": KEY, "mid": DEVICE, "lat": "44.432149", "lon": "26.088868", "accuracy": "3"},
)


def _sensors(mid: str, *sensors: Body) -> Call:
    return Call("PUT", "/mobileapi/sensors", {"appkey": KEY, "mid": mid, "sensors": list(sensors)})


# Each of the vendor's 24 samples by itself.
SAMPLES: dict[str, Call] = {
    **{f"web-init-{language}": _WEB_INIT for language in ("curl", "node", "php", "ruby")},
    **{f"web-send-{language}": _WEB_SEND for language in ("curl", "node", "php", "ruby")},
    **{f"mobile-init-{language}": _MOBILE_INIT for language in ("curl", "node", "php")},
    "mobile-init-ruby": Call("POST", "/mobileapi/init", _NAMED),
    **{f"mobile-send-{language}": _MOBILE_SEND for language in ("curl", "node", "php", "ruby")},
    **{f"mobile-geo-{language}": _GEO for language in ("curl", "node", "php", "ruby")},
    "mobile-sensors-curl": _sensors(VISITOR, *_TWO_BEACONS),
    "mobile-sensors-php": _sensors(DEVICE, *_TWO_BEACONS),
    "mobile-sensors-node": _sensors(VISITOR, _NODES_BEACON),
    "mobile-sensors-ruby": _MOBILE_SEND,  # the page's Ruby sample posts a send's body to the sensors' door
}
# In one run: an init upstream once a visitor, and these tell nothing new about theirs.
SAME_INIT = ("web-init-node", "web-init-php", "web-init-ruby", "mobile-init-node", "mobile-init-php")


def _activity(surface: str, params: Body) -> Body:
    return {
        "activity_name": "Visit",
        "asset_id": f"{surface}-asset",
        "activity_source": surface,
        "activity_params": {"event_id": "{event}", **params},
    }


_SHOPS = {"brands": ["Zara", "Adidas"], "tenants": ["H&M", "C&A"]}
# Everything else is filtered at Netcore: inits are no activities, sensors too many, positions private.
SAMPLE_ACTIVITIES: dict[str, Body] = {
    name: {"annonid": VISITOR, **_activity("web" if name.startswith("web") else "app", _SHOPS)}
    for name, call in SAMPLES.items()
    if call.path.endswith("/send")
}

_PHONE = {
    "screenSize": "1080x2400",
    "deviceType": "Smartphone",
    "deviceOs": "Android 14",
    "deviceUuid": "UP1A.231005.007",
    "deviceId": "UP1A.231005.007",
}
_BEACON = {"uuid": "f7826da6-4fa2-4e98-8024-bc5b71e0893e", "major": "1201"}


def _seen(request_type: str = "action", action: str | None = "visit", /, **more: str) -> Call:
    """A send of the SDK; `more` is its additional data."""
    body: dict[str, Any] = {"appkey": KEY, "mid": "{mid}", "requestType": request_type}
    if action:
        body["actionType"] = action
    return Call("POST", "/mobileapi/send", {**body, "aditionalData": more} if more else body)


# A session of the official SDK, without what Footprints knows already, or can't know yet.
SESSION: dict[str, Call] = {
    "01-init": Call(
        "POST",
        "/mobileapi/init",
        {
            "appkey": KEY,
            "userEmail": "ana.pop@example.com",
            "userPhone": "+40722000111",
            "pushNotificationToken": "fcm-dQw4w9WgXcQ:APA91bH-sdk-session",
            "technicalInfo": _PHONE,
            "aditionalData": {"loyaltyTier": "gold", "mall": "Băneasa"},
        },
    ),
    "02-visit-with-attributes": Call("POST", "/mobileapi/send", {"appkey": KEY, "mid": "{mid}", **_VISIT}),
    "03-ad-seen": _seen(campaignId="camp_001", adId="ad_001"),
    "04-ad-seen-for-a-while": _seen(
        campaignId="camp_001", adId="ad_002", scrollViewPercentage="75.0", screenOnTime="12"
    ),
    "05-reach": _seen("reach", None),
    "06-impression": _seen(
        "impression", "engagement", campaignId="camp_001", adId="ad_001", scrollViewPercentage="75.0"
    ),
    "07-sensors": _sensors(
        "{mid}",
        {**_BEACON, "minor": "7", "proximity": "near", "rssi": "-63"},
        {**_BEACON, "minor": "9", "proximity": "far", "rssi": "-88"},
    ),
    "08-geo": Call(
        "PUT",
        "/mobileapi/geo",
        {"appkey": KEY, "mid": "{mid}", "lat": "44.432149", "lon": "26.088868", "accuracy": "3.0"},
    ),
    "09-geo-without-accuracy": Call(
        "PUT", "/mobileapi/geo", {"appkey": KEY, "mid": "{mid}", "lat": "44.50771", "lon": "26.089302"}
    ),
    "12-visit-after-return": _seen(),
}
# Who the session's visitor is, its init told: the panel's primary key. Ads seen are filtered.
SESSION_ACTIVITIES: dict[str, Body] = {
    "02-visit-with-attributes": {"identity": "ana.pop@example.com", **_activity("app", _SHOPS)},
    "12-visit-after-return": {"identity": "ana.pop@example.com", **_activity("app", {})},
}
