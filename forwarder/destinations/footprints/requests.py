"""Tracking calls as they go on the wire: the vendor's verbs, paths and spellings."""

from collections.abc import Mapping
from typing import Any, Final

from base.forms import encode_form
from eventlog.event import Event
from forwarder.destinations.footprints.visitor import Contact, Known
from forwarder.destinations.values import clean, table
from forwarder.transport import Request

# Whatever else an event's data holds goes along under its own name.
_TOLD_ELSEWHERE: Final = {
    "uid",
    "mid",
    "uType",
    "email",
    "phone",
    "pushNotificationToken",
    "technicalInfo",
    "additionalData",
}
_OURS: Final = {"appkey", "pid", "customerId", "lead", "page", "utm", "eid", "ts", "sentAt"}
_NOT_RELAYED: Final = frozenset(_TOLD_ELSEWHERE | _OURS)
_PUT: Final = frozenset({"sensors", "geo"})


class Requests:
    def __init__(self, base_url: str, *, forward_address: bool) -> None:
        self._base_url = base_url
        self._forward_address = forward_address

    def init(self, event: Event, appkey: str, contact: Contact) -> Request:
        """With the contacts known so far, not only those of `event`: a later init must not make a stranger of them."""
        names = {"email": "email"}
        if event.surface == "mobile":
            names = {"email": "userEmail", "phone": "userPhone", "push": "pushNotificationToken"}
        fields = {names[name]: value for name, value in contact.items() if name in names}
        rest = _told(event) if event.kind == "init" else {}
        form = {"appkey": appkey, **fields, "technicalInfo": table(event.data.get("technicalInfo")), **rest}
        return self._form("POST", f"{_door(event)}/init", event, form)

    def tracking(self, event: Event, appkey: str, visitor: Known) -> Request:
        """A send, sensors or geo."""
        mobile = event.surface == "mobile"
        who = {"mid": visitor.id} if mobile else {"uid": visitor.id, "uType": visitor.utype or "c"}
        form = {"appkey": appkey, **who, **_told(event)}
        verb, call = ("PUT", event.kind) if event.kind in _PUT else ("POST", "send")
        return self._form(verb, f"{_door(event)}/{call}", event, form)

    def _form(self, verb: str, path: str, event: Event, form: Mapping[str, Any]) -> Request:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Event-Id": event.id}
        if event.useragent and (agent := header_value(event.useragent)):
            headers["User-Agent"] = agent
        if self._forward_address and event.clientaddress and "/" not in event.clientaddress:  # a network is nobody's
            headers["X-Forwarded-For"] = header_value(event.clientaddress)
        return Request(verb, f"{self._base_url}{path}", headers, encode_form(clean(form) or {}))


def _door(event: Event) -> str:
    return "/mobileapi" if event.surface == "mobile" else "/jsapi"


def _told(event: Event) -> dict[str, Any]:
    rest = {name: value for name, value in event.data.items() if name not in _NOT_RELAYED}
    told = {**rest, "aditionalData": event.data.get("additionalData")}
    if "aditionalData" in event.data:  # both spellings came, and they contradict each other: neither is lost
        told["additionalData"] = event.data["aditionalData"]
    return told


def header_value(value: str) -> str:
    """What may stand in a header: a visitor chose it."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return "".join(character for character in value if " " <= character <= "~").strip()
