"""Netcore's column of contracts.md, section 3, against the sandboxed vendor."""

from typing import Any

import pytest

from base.reasons import Dead, Filter, Trouble
from eventlog.event import Event
from forwarder.destinations.netcore import Netcore, NetcoreSettings
from forwarder.destinations.netcore.destination import MAX_BYTES
from forwarder.errors import TimedOut
from forwarder.sandbox.netcore import Netcore as Vendor
from forwarder.transport import Reply
from tests.support.destinations import Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

VENDOR = sandboxed(Vendor(), "/netcore")
ASSETS = {"web_asset_id": "web-asset", "app_asset_id": "app-asset"}


def netcore(**settings: Any) -> Netcore:
    base: dict[str, Any] = {"base_url": "http://127.0.0.1:8090/netcore", "api_key": "sandbox-netcore", **ASSETS}
    return Netcore("netcore", NetcoreSettings.model_validate({"kind": "netcore", **base, **settings}))


def course(facts: MemoryFacts, *events: Event, **settings: Any) -> Course:
    return bring(netcore(**settings), events, VENDOR, facts)


def activity(facts: MemoryFacts, event: Event, **settings: Any) -> dict[str, Any]:
    found = course(facts, event, **settings)
    assert found.outcomes[event.id].kind == "delivered"
    ((only,),) = found.bodies()
    return dict(only)


SALE = send("sale", {"receipts": [{"name": "C&A", "value": "52"}, {"name": "Adidas", "value": 322.25}]})
AD = send("visit", {"adId": "a", "campaignId": "c", "scrollViewPercentage": "50", "screenOnTime": 2}, "mobile")
BEACONS = make_event(
    "mobile.sensors",
    {
        "sensors": [
            {"rssi": "-70", "name": "far"},
            {"rssi": -40.5, "name": "near", "macAddress": "00-14"},
            {"rssi": "?"},
        ]
    },
)
LEAD = make_event(
    "web.register",
    {
        "lead": {
            "userEmail": "Ann@X.example",
            "tags": ["t"],
            "locationId": 5,
            "offerId": "o",
            "agreeTandc": "true",
            "agreePrivacy": "false",
            "marketingChannels": [
                {"channel": "sms", "type": "owner", "agreed": "true"},
                {"channel": "dm", "agreed": False},
            ],
        }
    },
)


@pytest.mark.parametrize(
    ("event", "settings", "name", "params"),
    [
        (
            make_event(
                "web.visit",
                {
                    "additionalData": {"brands": ["Zara", ""], "tenants": "H&M", "interests": []},
                    "page": {"url": "https://s.example/", "title": "T", "referrer": ""},
                    "utm": {"source": "mail", "utm_medium": "x", "term": None},
                },
            ),
            {},
            "Visit",
            {
                "brands": ["Zara"],
                "tenants": ["H&M"],
                "page_url": "https://s.example/",
                "page_title": "T",
                "utm_source": "mail",
                "utm_medium": "x",
            },
        ),
        (
            SALE,
            {"currency": "RON"},
            "Purchase",
            {
                "total_amount": 374.25,
                "currency": "RON",
                "total_item_qty": 2,
                "items": [{"tenant": "C&A", "price": 52}, {"tenant": "Adidas", "price": 322.25}],
            },
        ),
        (send("sale", {"receipts": []}), {}, "Purchase", {}),
        (
            send("contact", {"appointmentDate": "2026-11-21 10:00:00", "senderType": "person"}),
            {},
            "Contact Request",
            {"appointment_date": "2026-11-21 10:00:00", "sender_type": "person"},
        ),
        (send("feedback", {"rating": "9"}), {}, "Feedback", {"rating": 9}),
        (send("engagement", {"description": "a\0b"}), {}, "Engagement", {"description": "ab"}),
        (send("profiling", {"percentCompleted": 12.5}), {}, "Profile Update", {"percent_completed": 12.5}),
        (
            LEAD,
            {},
            "Lead Submitted",
            {"tags": ["t"], "location_id": "5", "offer_id": "o", "consents": ["terms", "sms:owner"]},
        ),
        (make_event("web.init", {"technicalInfo": {"x": "y"}}), {"session_start": True}, "Session Start", {}),
        (
            AD,
            {"ad_impression": True},
            "Ad Impression",
            {
                "request_type": "action",
                "ad_id": "a",
                "campaign_id": "c",
                "scroll_view_percentage": 50,
                "screen_on_time": 2,
            },
        ),
        (BEACONS, {"beacon_seen": True}, "Beacon Seen", {"rssi": -40.5, "beacon_count": 3, "store": "near"}),
        (
            make_event("mobile.geo", {"lat": "44.432149", "lon": 26.088868, "accuracy": 3}),
            {"location": True},
            "Location",
            {"lat": 44.432, "lon": 26.089},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_mapped(
    facts: MemoryFacts, event: Event, settings: dict[str, Any], name: str, params: dict[str, Any]
) -> None:
    found = activity(facts, event, **settings)
    assert found["activity_name"] == name
    assert found["activity_params"] == {**params, "event_id": event.id}
    surface = "app" if event.surface == "mobile" else "web"
    assert (found["asset_id"], found["activity_source"]) == (f"{surface}-asset", surface)
    assert found["timestamp"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    ("event", "settings", "rule"),
    [
        (make_event("web.init"), {}, Filter.NOT_AN_ACTIVITY),
        (make_event("mobile.init"), {}, Filter.NOT_AN_ACTIVITY),
        (AD, {}, Filter.AD_EVENT),
        (make_event("mobile.reach"), {}, Filter.AD_EVENT),
        (make_event("mobile.impression"), {}, Filter.AD_EVENT),
        (BEACONS, {}, Filter.HIGH_VOLUME),
        (make_event("mobile.geo"), {}, Filter.LOCATION_PRIVACY),
        (SALE, {"activities": {"sale": False}}, Filter.SWITCHED_OFF),
        (make_event("web.init"), {"session_start": True, "activities": {"init": False}}, Filter.SWITCHED_OFF),
        (make_event("web.unknown"), {}, Filter.UNMAPPED),
        (send("visit", surface="mobile"), {"app_asset_id": ""}, Filter.UNMAPPED),
    ],
)
def test_what_is_filtered(facts: MemoryFacts, event: Event, settings: dict[str, Any], rule: Filter) -> None:
    found = course(facts, event, **settings)
    assert (found.outcomes[event.id].kind, found.outcomes[event.id].reason) == ("filtered", rule)
    assert found.calls == []


def test_names_of_your_own(facts: MemoryFacts) -> None:
    assert activity(facts, SALE, activities={"sale": "Order"})["activity_name"] == "Order"


def test_params_in_names_of_the_settings_choice(facts: MemoryFacts) -> None:
    chosen = {"fields": {"sum": "total_amount", "shops": "tenants"}, "constants": {"channel": "mall"}}
    told = activity(facts, SALE, events={"sale": chosen})["activity_params"]
    usual = activity(facts, SALE)["activity_params"]
    shops = [item["tenant"] for item in usual["items"]]
    assert told == {"sum": usual["total_amount"], "shops": shops, "channel": "mall", "event_id": SALE.id}
    more = activity(facts, SALE, events={"sale": {"constants": {"channel": "mall"}}})["activity_params"]
    assert more == {**usual, "channel": "mall"}


@pytest.mark.parametrize(
    ("primary", "data", "identity"),
    [
        ("email", {"email": " Ann@X.example "}, "ann@x.example"),
        ("email", {"email": "undefined", "phone": "0700"}, None),
        ("mobile", {"phone": "+40 (700) 123-456"}, "+40700123456"),
        ("customer_id", {"customerId": 40712}, "40712"),
        ("customer_id", {"email": "ann@x.example"}, None),
    ],
)
def test_identity_is_the_primary_key(
    facts: MemoryFacts, primary: str, data: dict[str, Any], identity: str | None
) -> None:
    init, visit = make_event("web.init", data), send("visit")
    found = course(facts, init, visit, primary_key=primary)
    ((only,),) = found.bodies()
    if identity is None:
        assert (only.get("identity"), only["annonid"]) == (None, visit.subject)
    else:
        assert (only["identity"], "annonid" in only) == (identity, False)


def test_a_lead_tells_who_it_is_from_then_on(facts: MemoryFacts) -> None:
    found = course(facts, send("visit"), LEAD, send("feedback", {"rating": 1}))
    (activities,) = found.bodies()
    assert ["identity" in one for one in activities] == [False, True, True]
    later = activity(facts, send("visit"))
    assert later["identity"] == "ann@x.example"
    stranger = activity(facts, send("visit", subject="other"), anonymous_field="anonid")
    assert stranger["anonid"] == "other"


def test_what_is_late_is_delivered_and_says_so(facts: MemoryFacts) -> None:
    old, young = send("visit", age=24 * 3600.0 + 1), send("visit", age=24 * 3600.0 - 1)
    found = course(facts, old, young)
    assert [found.outcomes[event.id].late for event in (old, young)] == [True, False]
    assert found.bodies()[0][0]["timestamp"] == "2027-01-14T07:59:59Z"


def test_batches_keep_the_vendors_limits(facts: MemoryFacts) -> None:
    many = [send("visit", subject=f"s{number}") for number in range(2001)]
    assert [len(body) for body in course(facts, *many).bodies()] == [1000, 1000, 1]
    large = [send("engagement", {"description": "x" * 300_000}) for _ in range(7)]
    found = course(facts, *large)
    assert [len(body) for body in found.bodies()] == [3, 3, 1]
    assert all(len(call.request.body) <= MAX_BYTES for call in found.calls)
    whale = send("engagement", {"description": "x" * MAX_BYTES})
    found = course(facts, whale, send("visit"))
    assert (found.outcomes[whale.id].reason, len(found.calls)) == (Dead.TOO_LARGE, 1)


@pytest.mark.parametrize(
    ("settings", "url", "header"),
    [
        ({"region": "us"}, "https://api2.netcoresmartech.com", ("Authorization", "Bearer k")),
        ({"region": "in"}, "https://apiin2.netcoresmartech.com", ("Authorization", "Bearer k")),
        ({"region": "eu", "auth_header": "api-key"}, "https://apieu2.netcoresmartech.com", ("api-key", "k")),
    ],
)
def test_where_it_goes(facts: MemoryFacts, settings: dict[str, Any], url: str, header: tuple[str, str]) -> None:
    (call,) = netcore(**{"base_url": None, "api_key": "k", **settings}).plan([SALE], facts, NOW).calls
    assert (call.request.method, call.request.url) == ("POST", f"{url}/v1/activity/upload")
    assert call.request.headers == {"Content-Type": "application/json", header[0]: header[1]}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"status":"success"}', "delivered"),
        (400, b'{"status":"failure"}', "split"),
        (404, b"", "split"),
        (405, b"", "split"),
        (413, b"", "split"),
        (401, b"", Trouble.CREDENTIALS),
        (408, b"", Trouble.TIMEOUT),
        (429, b"", Trouble.THROTTLED),
        (500, b"", Trouble.SERVER_ERROR),
        (200, b'{"status":"failure"}', Trouble.UNREADABLE_REPLY),
        (200, b"<html>", Trouble.UNREADABLE_REPLY),
        (200, b"", Trouble.UNREADABLE_REPLY),
        (202, b'{"status":"success"}', Trouble.UNREADABLE_REPLY),
    ],
)
def test_replies(facts: MemoryFacts, status: int, body: bytes, expected: str) -> None:
    destination = netcore()
    both = [send("visit"), send("visit")]
    for events in (both, both[:1]):
        (call,) = destination.plan(events, facts, NOW).calls
        found = destination.classify(call, Reply(status, {}, body))
        kinds = {outcome.kind for outcome in found.outcomes.values()}
        if expected == "split":
            reason = Dead.TOO_LARGE if status == 413 else Dead.REFUSED
            alone = {outcome.reason for outcome in found.outcomes.values()} == {reason}
            assert found.split == (len(events) > 1) != alone
        elif expected == "delivered":
            assert (kinds, len(found.outcomes)) == ({"delivered"}, len(events))
        else:
            assert (found.trouble, kinds, found.split) == (expected, set(), False)


def test_no_reply_at_all(facts: MemoryFacts) -> None:
    destination = netcore()
    (call,) = destination.plan([SALE], facts, NOW).calls
    assert destination.classify(call, TimedOut("x")).trouble is Trouble.TIMEOUT


def test_a_subject_of_nothing_still_is_somebody(facts: MemoryFacts) -> None:
    assert activity(facts, send("visit", subject="\0"))["annonid"] == "unknown"
