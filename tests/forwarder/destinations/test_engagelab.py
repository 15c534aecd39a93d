"""EngageLab's column of contracts.md, section 3, and its chain (register, contact, report), against the sandbox."""

from typing import Any

import pytest

from base.reasons import Dead, Filter
from eventlog.event import Event
from forwarder.destinations.engagelab.requests import MAX_BYTES
from forwarder.sandbox.engagelab import euid_for
from tests.support.destinations import MemoryFacts
from tests.support.engagelab import ANN, CONTACT, LEAD, REGISTER, REPORT, SALE, course
from tests.support.events import NOW, make_event, send


@pytest.mark.parametrize(
    ("event", "name", "properties"),
    [
        (
            send("visit", {"brands": ["Zara", ""], "interests": []}),
            "visit",
            {"brands": ["Zara"]},
        ),
        (
            make_event("web.visit", {"page": {"url": "https://s.example/"}, "utm": {"source": "m", "X-y": "z"}}),
            "visit",
            {"page_url": "https://s.example/", "utm_source": "m"},
        ),
        (SALE, "purchase", {"total_amount": 53.5, "currency": "EUR", "total_item_qty": 2, "tenants": ["C&A", "Zara"]}),
        (
            send("contact", {"appointmentDate": "2026-11-21 10:00:00", "senderType": "person"}),
            "contact_request",
            {"appointment_date": "2026-11-21 10:00:00", "sender_type": "person"},
        ),
        (send("feedback", {"rating": "9"}), "feedback", {"rating": 9}),
        (send("engagement", {"description": "x"}), "engagement", {"description": "x"}),
        (send("profiling", {"percentCompleted": 5}), "profile_update", {"percent_completed": 5}),
        (LEAD, "lead_submitted", {"tags": ["t"], "consents": ["terms"]}),
    ],
)
def test_what_is_mapped(facts: MemoryFacts, event: Event, name: str, properties: dict[str, Any]) -> None:
    found = course(facts, event, currency="EUR", app_key="app")
    assert found.outcomes[event.id].kind == "delivered"
    body = found.bodies()[-1]
    identity = ("user_id", "ann@x.example") if event is LEAD else ("anonymous_id", event.subject)
    assert body["app_key"] == "app"
    assert body["data"] == [
        {
            "euid": euid_for(*identity),
            "event_name": name,
            "itime": int(NOW * 1000),
            "random_id": event.id,
            "properties": properties,
        }
    ]


@pytest.mark.parametrize(
    ("event", "settings", "rule"),
    [
        (send("visit", {"adId": "a", "campaignId": "c"}), {}, Filter.AD_EVENT),
        (make_event("mobile.reach"), {}, Filter.AD_EVENT),
        (make_event("mobile.sensors"), {}, Filter.HIGH_VOLUME),
        (make_event("mobile.geo"), {}, Filter.LOCATION_PRIVACY),
        (make_event("web.unknown"), {}, Filter.UNMAPPED),
        (SALE, {"events": {"sale": {"wanted": False}}}, Filter.SWITCHED_OFF),
        (make_event("web.init"), {"events": {"init": {"wanted": False}}}, Filter.SWITCHED_OFF),
    ],
)
def test_what_is_filtered(facts: MemoryFacts, event: Event, settings: dict[str, Any], rule: Filter) -> None:
    found = course(facts, event, **settings)
    assert (found.outcomes[event.id].kind, found.outcomes[event.id].reason) == ("filtered", rule)
    assert found.calls == []


def test_names_fields_and_constants_of_the_settings(facts: MemoryFacts) -> None:
    sale = {"name": "order", "fields": {"sum": "total_amount"}, "constants": {"at": "mall"}}
    place = make_event("mobile.geo", {"lat": "44.432149", "lon": 26.088868})
    started = make_event("web.init")
    found = course(facts, SALE, place, started, events={"sale": sale, "geo": {}, "init": {}})
    reported = {event["event_name"]: event["properties"] for event in found.bodies()[-1]["data"]}
    assert reported == {
        "order": {"sum": 53.5, "at": "mall"},
        "location": {"lat": 44.432, "lon": 26.089},
        "session_start": {},
    }


@pytest.mark.parametrize("surface", ["web", "mobile"])
def test_an_init_registers_and_tells_contacts_once(facts: MemoryFacts, surface: str) -> None:
    stranger, again = make_event(f"{surface}.init"), make_event(f"{surface}.init")
    found = course(facts, stranger)
    assert (found.sent(), found.outcomes[stranger.id].kind) == ([REGISTER], "delivered")
    assert found.bodies() == [{"identity_name": "anonymous_id", "identity_values": [stranger.subject]}]
    assert course(facts, again).outcomes[again.id].reason == Filter.SAME_INIT
    told = make_event(f"{surface}.init", ANN)
    found = course(facts, told)
    assert (found.sent(), found.outcomes[told.id].kind) == ([REGISTER, CONTACT], "delivered")
    euid = euid_for("user_id", "ann@x.example")
    assert found.bodies() == [
        {"identity_name": "user_id", "identity_values": ["ann@x.example"]},
        {"euid": euid, "contacts": {"email": "ann@x.example", "mobile_phone": "07001"}},
    ]
    later = course(facts, send("visit"), make_event(f"{surface}.init", ANN))
    assert later.sent() == ([REPORT] if surface == "web" else [REGISTER, REPORT])


@pytest.mark.parametrize(
    ("contact", "identity"),
    [
        ({"email": "a@x.example", "phone": "1", "customerId": 40712}, ("user_id", "40712")),
        ({"email": "a@x.example", "phone": "1"}, ("user_id", "a@x.example")),
        ({"phone": "+1 2"}, ("user_id", "+12")),
        ({"customerId": "c" * 257, "email": "a@x.example"}, ("user_id", "a@x.example")),
        ({"customerId": "c" * 257}, ("anonymous_id", SALE.subject)),
    ],
)
def test_who_it_is(facts: MemoryFacts, contact: dict[str, Any], identity: tuple[str, str]) -> None:
    found = course(facts, make_event("web.init", contact), SALE)
    assert found.bodies()[-1]["data"][0]["euid"] == euid_for(*identity)
    tall = send("visit", subject="s" * 257)
    assert course(facts, tall).outcomes[tall.id].reason == Dead.IDENTITY_TOO_LONG


def test_a_lead_tells_contacts_then_is_reported(facts: MemoryFacts) -> None:
    visit = send("visit")
    found = course(facts, visit, LEAD)
    assert found.sent() == [REGISTER, REPORT, REGISTER, CONTACT, REPORT]
    assert {outcome.kind for outcome in found.outcomes.values()} == {"delivered"}
    euids = [body["data"][0]["euid"] for body in found.bodies() if "data" in body]
    assert euids == [euid_for("anonymous_id", visit.subject), euid_for("user_id", "ann@x.example")]


def test_many_register_in_one_call(facts: MemoryFacts) -> None:
    visits = [send("visit", subject=f"v{number % 250}") for number in range(300)]
    found = course(facts, *visits)
    assert [len(body["identity_values"]) for body in found.bodies() if "identity_values" in body] == [100, 100, 50]
    assert [len(body["data"]) for body in found.bodies() if "data" in body] == [100, 100, 100]
    order = [event["random_id"] for body in found.bodies() if "data" in body for event in body["data"]]
    assert order == [event.id for event in visits]
    same = [make_event("web.init", {"customerId": "c"}, subject=f"w{number}") for number in range(3)]
    found = course(facts, *same)
    assert found.bodies() == [{"identity_name": "user_id", "identity_values": ["c"]}]
    assert {outcome.kind for outcome in found.outcomes.values()} == {"delivered"}


def test_reports_keep_their_limits(facts: MemoryFacts) -> None:
    large = [send("engagement", {"description": "x" * 300_000}) for _ in range(4)]
    found = course(facts, *large)
    assert [len(body["data"]) for body in found.bodies()[1:]] == [3, 1]
    whale = send("engagement", {"description": "x" * MAX_BYTES})
    assert course(facts, whale).outcomes[whale.id].reason == Dead.TOO_LARGE
    found = course(facts, *(send("visit") for _ in range(5)), batch_events=2)
    assert [len(body["data"]) for body in found.bodies()] == [2, 2, 1]
    old = send("visit", age=86_401.0)
    assert course(facts, old).outcomes[old.id].late
