"""Footprints' column of contracts.md, section 3, against the sandboxed vendor."""

from typing import Any

import pytest

from base.ids import SeededIds
from base.reasons import Dead, Filter, Parked
from eventlog.event import Event
from forwarder.destinations.base import visitor_key
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from forwarder.sandbox.footprints import Footprints as Vendor
from tests.support.destinations import Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

BASE = "http://127.0.0.1:8090/footprints"
VENDOR = sandboxed(Vendor(SeededIds()), "/footprints")


def footprints(**settings: Any) -> Footprints:
    chosen = FootprintsSettings(kind="footprints", base_url=BASE, **settings)
    return Footprints("footprints", chosen, {"shop": "upstream-key"})


def course(facts: MemoryFacts, *events: Event, **settings: Any) -> Course:
    return bring(footprints(**settings), events, VENDOR, facts)


def outcome(found: Course, event: Event) -> tuple[str, str]:
    return found.outcomes[event.id].kind, found.outcomes[event.id].reason


@pytest.mark.parametrize(
    ("event", "call", "fields"),
    [
        (
            send("visit", {"brands": ["Zara", "H&M"], "tenants": [], "note": None}),
            ("POST", "/jsapi/send"),
            {"actionType": "visit", "requestType": "action", "aditionalData": {"brands": ["Zara", "H&M"]}},
        ),
        (
            send("sale", {"receipts": [{"name": "C&A", "value": 52}]}),
            ("POST", "/jsapi/send"),
            {
                "actionType": "sale",
                "requestType": "action",
                "aditionalData": {"receipts": [{"name": "C&A", "value": "52"}]},
            },
        ),
        (
            make_event("mobile.impression", {"requestType": "impression", "additionalData": {"adId": "7"}}),
            ("POST", "/mobileapi/send"),
            {"requestType": "impression", "aditionalData": {"adId": "7"}},
        ),
        (
            make_event(
                "web.reach", {"requestType": "reach", "additionalData": {"a": "9"}, "aditionalData": {"a": "8"}}
            ),
            ("POST", "/jsapi/send"),
            {"requestType": "reach", "aditionalData": {"a": "9"}, "additionalData": {"a": "8"}},
        ),
        (
            make_event("mobile.sensors", {"sensors": [{"uuid": "u", "rssi": -4, "macAddress": "00-14"}]}),
            ("PUT", "/mobileapi/sensors"),
            {"sensors": [{"uuid": "u", "rssi": "-4", "macAddress": "00-14"}]},
        ),
        (
            make_event("mobile.geo", {"lat": 44.43, "lon": "26.08", "accuracy": 3}),
            ("PUT", "/mobileapi/geo"),
            {"lat": "44.43", "lon": "26.08", "accuracy": "3"},
        ),
    ],
)
@pytest.mark.parametrize("foreign", [True, False])
def test_what_is_sent(
    facts: MemoryFacts, event: Event, call: tuple[str, str], fields: dict[str, Any], foreign: bool
) -> None:
    """A foreign id goes as it is; ours becomes what an upstream init has answered before."""
    verb, path = call
    changed = make_event(event.type.removeprefix("ochn."), dict(event.data), subject="pX", foreignid=foreign)
    facts.known["shop/pX/upstream"] = {"id": "pX" if foreign else "theirs", "utype": "p", "contact": {}}
    found = course(facts, changed)
    who = "pX" if foreign else "theirs"
    person = {"mid": who} if path.startswith("/mobileapi") else {"uid": who, "uType": "p"}
    assert found.sent() == [(verb, f"/footprints{path}")]
    assert found.bodies() == [{"appkey": "upstream-key", **person, **fields}]
    assert outcome(found, changed) == ("delivered", "")


@pytest.mark.parametrize(
    ("subject", "data", "utype"),
    [("p93e", {}, "p"), ("a5c2", {}, "c"), ("p93e", {"uType": "c"}, "c"), ("c12", {"uType": "x"}, "c")],
)
def test_a_foreign_id_needs_no_init(facts: MemoryFacts, subject: str, data: dict[str, str], utype: str) -> None:
    found = course(facts, make_event("web.visit", {"actionType": "visit", **data}, subject=subject, foreignid=True))
    (body,) = found.bodies()
    assert (body["uid"], body["uType"]) == (subject, utype)


def test_an_anonymous_web_init_then_its_pid(facts: MemoryFacts) -> None:
    init = make_event("web.init", {"technicalInfo": {"screenSize": "1x1"}, "page": {"url": "u"}, "custom": "kept"})
    visit = send("visit")
    found = course(facts, init, visit)
    assert found.sent() == [("POST", "/footprints/jsapi/init"), ("POST", "/footprints/jsapi/send")]
    first, second = found.bodies()
    assert first == {"appkey": "upstream-key", "technicalInfo": {"screenSize": "1x1"}, "custom": "kept"}
    upstream = facts.known[f"{visitor_key(init)}/upstream"]
    assert (second["uid"], second["uType"]) == (upstream["id"], "p")
    assert {outcome(found, event)[0] for event in (init, visit)} == {"delivered"}


def test_an_email_makes_it_a_uid(facts: MemoryFacts) -> None:
    found = course(facts, make_event("web.init", {"email": "Ann@x.example", "phone": "0700"}), send("visit"))
    assert found.bodies()[0] == {"appkey": "upstream-key", "email": "Ann@x.example"}
    assert found.bodies()[1]["uType"] == "c"


def test_the_same_init_again_is_filtered_and_a_learned_email_is_not(facts: MemoryFacts) -> None:
    first = make_event("web.init", {"technicalInfo": {"screenSize": "1x1"}})
    same = make_event("web.init", {"technicalInfo": {"screenSize": "2x2"}})
    learned = make_event("web.init", {"email": "a@x.example"})
    forgotten = make_event("web.init", {"email": "undefined"})
    found = course(facts, first, same, learned, forgotten)
    assert [body.get("email") for body in found.bodies()] == [None, "a@x.example"]
    assert outcome(found, same) == outcome(found, forgotten) == ("filtered", Filter.SAME_INIT)
    assert outcome(found, learned) == ("delivered", "")


def test_a_visitor_whose_init_never_came_is_introduced_first(facts: MemoryFacts) -> None:
    found = course(facts, send("visit"), send("visit"))
    assert [path for _, path in found.sent()] == [f"/footprints/jsapi/{name}" for name in ("init", "send", "send")]
    assert found.calls[0].events == ()


def test_a_send_that_tells_an_email_has_it_told(facts: MemoryFacts) -> None:
    found = course(facts, send("visit"), make_event("web.visit", {"actionType": "visit", "email": "a@x.example"}))
    assert [body.get("email") for body in found.bodies()] == [None, None, "a@x.example", None]
    assert found.bodies()[-1]["uType"] == "c"


@pytest.mark.parametrize("contact", [{"email": "a@x.example"}, {"pushNotificationToken": 123456}])
def test_a_device_waits_until_somebody_is_known(facts: MemoryFacts, contact: dict[str, Any]) -> None:
    early = make_event("mobile.init", {"phone": "0700"})
    visit = send("visit", surface="mobile")
    alone = course(facts, early, visit)
    assert alone.calls == []
    assert outcome(alone, early) == outcome(alone, visit) == ("parked", Parked.WAITS_FOR_CONTACT)
    late = make_event("mobile.init", contact)
    found = course(facts, early, visit, late)
    names = {"email": "userEmail", "pushNotificationToken": "pushNotificationToken"}
    told = {names[name]: str(value) for name, value in contact.items()}
    assert found.bodies()[0] == {"appkey": "upstream-key", **told}
    assert found.bodies()[1] == {"appkey": "upstream-key", **told, "userPhone": "0700"}
    assert found.sent()[-1] == ("POST", "/footprints/mobileapi/send")
    assert {outcome(found, event)[0] for event in (early, visit, late)} == {"delivered"}


def test_a_foreign_device_is_known_already(facts: MemoryFacts) -> None:
    init = make_event("mobile.init", {}, subject="p93e", foreignid=True)
    visit = send("visit", surface="mobile", subject="p93e", foreignid=True)
    found = course(facts, init, visit)
    assert outcome(found, init) == ("filtered", Filter.SAME_INIT)
    assert found.bodies() == [{"appkey": "upstream-key", "mid": "p93e", "actionType": "visit", "requestType": "action"}]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("web.visit", ("dead", Dead.TOO_OLD)), ("web.init", ("delivered", ""))],
)
def test_what_is_too_old_to_be_dated_now(facts: MemoryFacts, kind: str, expected: tuple[str, str]) -> None:
    event = make_event(kind, {"actionType": "visit"}, age=25 * 3600.0)
    assert outcome(course(facts, event), event) == expected
    again = make_event(kind, {"actionType": "visit"}, age=25 * 3600.0, subject="s", replayed=True)
    assert outcome(course(facts, again), again) == ("delivered", "")
    young = make_event(kind, {"actionType": "visit"}, age=25 * 3600.0, subject="y")
    assert outcome(course(facts, young, max_age_hours=26), young) == ("delivered", "")


def test_headers(facts: MemoryFacts) -> None:
    agent = "Mozilla/5.0\r\nX-Evil: 1 \N{SNOWMAN}"
    event = make_event("web.visit", {}, subject="p", foreignid=True, useragent=agent, clientaddress="203.0.113.7")
    plain, forwarding = (
        footprints(forward_address=on).plan([event], facts, NOW).calls[0].request for on in (False, True)
    )
    assert plain.headers == {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Event-Id": event.id,
        "User-Agent": "Mozilla/5.0X-Evil: 1",
    }
    assert forwarding.headers == {**plain.headers, "X-Forwarded-For": "203.0.113.7"}
    network = event._replace(clientaddress="203.0.113.0/24")
    assert footprints(forward_address=True).plan([network], facts, NOW).calls[0].request.headers == plain.headers


@pytest.mark.parametrize("kind", ["hash", "drop"])
def test_whose_contacts_are_taken_out_waits_for_none(facts: MemoryFacts, kind: str) -> None:
    privacy: dict[str, Any] = {"privacy": f"personal={kind};email=63ab"}
    phone, page = make_event("mobile.visit", **privacy), send("visit", {}, **privacy)
    lead = make_event("web.register", {"lead": {"tags": ["vip"]}}, **privacy)
    found = course(facts, phone, page, lead, key="k", secret="s")
    assert outcome(found, phone) == outcome(found, lead) == ("filtered", Filter.NO_CONTACT)
    assert outcome(found, page) == ("delivered", "")
    assert found.sent() == [("POST", "/footprints/jsapi/init"), ("POST", "/footprints/jsapi/send")]
    assert b"63ab" not in b"".join(call.request.body for call in found.calls)


def test_an_app_key_that_the_settings_do_not_know_waits_for_them(facts: MemoryFacts) -> None:
    event = make_event(appkeyname="new")
    found = course(facts, event)
    assert outcome(found, event) == ("parked", Parked.KEEPS_FAILING)
    assert "new" in found.outcomes[event.id].detail


def test_two_app_keys_are_two_visitors(facts: MemoryFacts) -> None:
    settings = FootprintsSettings(kind="footprints", base_url=BASE)
    destination = Footprints("footprints", settings, {"shop": "k1", "app": "k2"})
    found = bring(destination, [send("visit"), send("visit", appkeyname="app")], VENDOR, facts)
    assert [body["appkey"] for body in found.bodies()] == ["k1", "k1", "k2", "k2"]
    assert found.bodies()[1]["uid"] != found.bodies()[3]["uid"]
