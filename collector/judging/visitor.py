"""Which visitor an event is of: the one it names, the one it gets back, or a new one."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from base.reasons import Quarantine, Warned
from base.values import NOTHING, Value
from collector.calls import Call
from collector.judging.identity import Identity, IdKind
from collector.judging.person import LONGEST_ID, contact_of, contact_of_lead, mobile_id
from collector.judging.remarks import Remark

COOKIE: Final = "ochn_vid"
_UNIQUE: Final = 16  # characters from which on a client's event id is believed to be nobody else's
_NAMES: Final = {
    ("web", "init"): ("pid", "uid", "mid"),
    ("mobile", "init"): ("mid", "pid", "uid"),
    ("web", "send"): ("uid", "mid", "pid"),
    ("mobile", "send"): ("mid", "uid", "pid"),
}


class Visitor(Value, frozen=True):
    """`subject` empty: the event names none. `answer`: what an init is told, under the vendor's name for it."""

    subject: str = ""
    person: str | None = None
    foreign: bool = False
    remarks: tuple[Remark, ...] = ()
    answer: Mapping[str, str] = NOTHING


def find_visitor(
    call: Call, data: dict[str, Any], cookies: Mapping[str, str], identity: Identity, tenant: str
) -> Visitor:
    """Takes the id out of `data`; an init's earlier one stays there, as `pid`."""
    if call.kind == "init":
        return (
            _web_init(data, cookies, identity, tenant)
            if call.surface == "web"
            else _mobile_init(data, identity, tenant)
        )
    name, value = _take(data, _NAMES[call.surface, "send"])
    subject = read_id(value)
    if subject:
        return _named(subject, identity, name)
    if call.kind == "register":
        return _lead(data, cookies, identity, tenant)
    if value is None or value == "":
        return Visitor(remarks=(Remark(Quarantine.MISSING_VISITOR, name),))
    data[name] = value
    return Visitor(remarks=(Remark(Quarantine.BAD_VISITOR, name),))


def read_id(value: Any) -> str:
    """1 to 128 printable characters, else empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable() else ""


def _take(data: dict[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    """The first that is there and not empty leaves `data`."""
    for name in names:
        if name in data and data[name] not in (None, ""):
            return name, data.pop(name)
    return names[0], data.pop(names[0], None)


def _named(subject: str, identity: Identity, name: str) -> Visitor:
    """`name`: where the id stood."""
    kind = identity.kind_of(subject)
    if kind is None:
        return Visitor(subject, foreign=True, remarks=(Remark(Warned.FOREIGN_ID, name),))
    return Visitor(subject, person=subject if kind is IdKind.CUSTOMER else None)


def _earlier(data: dict[str, Any], names: tuple[str, ...], cookies: Mapping[str, str]) -> str:
    name, value = _take(data, names)
    earlier = read_id(value) or read_id(unquote(cookies.get(COOKIE, "")))
    if earlier:
        data["pid"] = earlier
    elif value is not None:
        data[name] = value
    return earlier


def _web_init(data: dict[str, Any], cookies: Mapping[str, str], identity: Identity, tenant: str) -> Visitor:
    """Identified by e-mail, phone or customer id: `uid`; else the earlier id again, or a new one: `pid`."""
    earlier = _earlier(data, _NAMES["web", "init"], cookies)
    person = contact_of(data).person(identity, tenant)
    if person:
        return Visitor(person, person, answer={"uid": person})
    if not earlier:
        fresh = _first(data, identity, tenant)
        return Visitor(fresh, answer={"pid": fresh})
    found = _named(earlier, identity, "pid")
    name = "uid" if found.person else "pid"
    return Visitor(earlier, found.person, found.foreign, found.remarks, {name: earlier})


def _first(data: dict[str, Any], identity: Identity, tenant: str) -> str:
    """A browser that asks again, because no answer came or the page was closed, is the same visitor: by its init's own
    id. Short ones may be somebody's counter, so they say nothing."""
    eid = read_id(data.get("eid"))
    if len(eid) < _UNIQUE:
        return identity.fresh(IdKind.VISITOR)
    return identity.hashed(IdKind.VISITOR, tenant, "eid", eid)


def _mobile_init(data: dict[str, Any], identity: Identity, tenant: str) -> Visitor:
    contact = contact_of(data)
    person = contact.person(identity, tenant)
    earlier = _earlier(data, _NAMES["mobile", "init"], {})
    if earlier:
        found = _named(earlier, identity, "mid")
        return Visitor(earlier, person or found.person, found.foreign, found.remarks, {"mobileId": earlier})
    device = mobile_id(identity, tenant, contact, data) or identity.fresh(IdKind.MOBILE)
    return Visitor(device, person, answer={"mobileId": device})


def _lead(data: dict[str, Any], cookies: Mapping[str, str], identity: Identity, tenant: str) -> Visitor:
    """A page that registers before it has an id: by its cookie, else by the person the lead is."""
    lead = data.get("lead")
    person = contact_of_lead(lead).person(identity, tenant) if isinstance(lead, dict) else None
    subject = read_id(unquote(cookies.get(COOKIE, "")))
    if subject:
        found = _named(subject, identity, COOKIE)
        return Visitor(subject, person or found.person, found.foreign, found.remarks)
    return Visitor(person or identity.fresh(IdKind.VISITOR), person)
