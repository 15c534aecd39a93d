"""The requests that are sent again and again, whole and raw, with places for whose they are.

`VISITOR` becomes one of 100,000 visitors' ids, `NUMBER` a visitor's number, `KEY` an app key. What stands in a place is
as wide as the place says, so that Content-Length is known beforehand. `replay.lua` and `paced.py` fill the same ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

VISITORS = 100_000
VISITOR, NUMBER, KEY = "{visitor}", "{number}", "{key}"
WIDTHS = {VISITOR: 64, NUMBER: 6, KEY: 9}
FORM = "application/x-www-form-urlencoded"
SEND_BYTES = 380  # of a page's visit, as the figures name it


@dataclass(frozen=True)
class Call:
    """`text` is the request with its places; `body_bytes` once they are filled; `events` how many it carries."""

    name: str
    text: str
    body_bytes: int
    events: int = 1

    def filled(self, number: int, keys: int = 1) -> bytes:
        text = self.text.replace(VISITOR, f"{number:064x}").replace(NUMBER, f"{number:06d}")
        return text.replace(KEY, app_key(number % keys)).encode()


def app_key(number: int) -> str:
    return f"bench{number:04d}"


def visit(size: int = SEND_BYTES) -> Call:
    """A page's visit of exactly `size` bytes: the vendor's sample, its page's address as long as it takes, then brands."""
    fields = {"appkey": KEY, "uid": VISITOR, "uType": "c", "actionType": "visit", "requestType": "action"}
    if size >= SEND_BYTES:
        fields |= {f"aditionalData[tenants][{n}]": name for n, name in enumerate(("H&M", "C&A", "Zara", "Adidas"))}
    body = _form(fields)
    body += "".join(_filling(size - _width(body)))
    return _call(f"send of {size:,} B", "POST", "/jsapi/send", FORM, body)


def _filling(left: int) -> Iterator[str]:
    """Fields that are `left` bytes long together; a value is 8 KiB at most."""
    for name in ("page%5Burl%5D", *(f"aditionalData%5Bbrands%5D%5B{n}%5D" for n in range(100))):
        room = left - len(name) - 2
        if room < 1:
            return
        value = room if room <= 8192 else min(8192, room - 64)  # so that the next one's name has room
        yield f"&{name}={('shop.example/' * (value // 13 + 1))[:value]}"
        left -= len(name) + 2 + value


def sdk_visit() -> Call:
    """As the official SDK posts it: JSON, and the key in a header too."""
    body = {
        "appkey": KEY,
        "mid": VISITOR,
        "requestType": "action",
        "actionType": "visit",
        "additionalData": [
            {"attributeName": "brands", "attributeValue": ["Zara", "Adidas"]},
            {"attributeName": "tenants", "attributeValue": ["H&M", "C&A"]},
        ],
    }
    return _call(
        "JSON visit (SDK)", "POST", "/mobileapi/send", "application/json", _json(body), more=f"appKey: {KEY}\r\n"
    )


def beacons() -> Call:
    fields = {"appkey": KEY, "mid": VISITOR}
    for n in range(5):
        beacon = {"uuid": "f7826da6-4fa2-4e98-8024-bc5b71e0893e", "major": 1201, "minor": n, "rssi": -60 - n}
        fields |= {f"sensors[{n}][{name}]": str(value) for name, value in beacon.items()}
    return _call("sensors of 5 beacons", "PUT", "/mobileapi/sensors", FORM, _form(fields))


def init() -> Call:
    fields = {"appkey": KEY, "email": f"visitor{NUMBER}@example.com", "technicalInfo[screenSize]": "1280x800"}
    return _call("init", "POST", "/jsapi/init", FORM, _form(fields))


def batch(events: int = 50) -> Call:
    one = {
        "call": "send",
        "uid": VISITOR,
        "uType": "c",
        "requestType": "action",
        "actionType": "visit",
        "aditionalData": {"brands": ["Zara"], "tenants": ["H&M"]},
    }
    body = _json({"appkey": KEY, "events": [one] * events})
    return _call(f"batch of {events}", "POST", "/jsapi/batch", "application/json", body, events=events)


def _form(fields: dict[str, str]) -> str:
    return urlencode(fields, safe="{}")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _width(text: str) -> int:
    return len(text) + sum(text.count(place) * (width - len(place)) for place, width in WIDTHS.items())


def _call(name: str, method: str, path: str, kind: str, body: str, *, more: str = "", events: int = 1) -> Call:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}Content-Type: {kind}\r\n"
    return Call(name, f"{head}Content-Length: {_width(body)}\r\n\r\n{body}", _width(body), events)
