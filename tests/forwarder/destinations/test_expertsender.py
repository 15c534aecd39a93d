"""ExpertSender's column of contracts.md, section 3, against the sandboxed vendor."""

import hashlib
from typing import Any

import pytest

from base.reasons import Dead, Filter, Trouble
from eventlog.event import Event
from forwarder.destinations.expertsender import ExpertSender, ExpertSenderSettings
from forwarder.destinations.expertsender.data_fields import WrongType, written
from forwarder.destinations.expertsender.settings import DataType
from forwarder.errors import Unreachable
from forwarder.sandbox.expertsender import NOBODY
from forwarder.sandbox.expertsender import ExpertSender as Vendor
from forwarder.transport import Reply
from tests.support.destinations import Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

VENDOR = sandboxed(Vendor(), "/expertsender")
KINDS = ("visit", "sale", "contact", "feedback", "engagement", "profiling", "register")
EVENTS: dict[str, Any] = {kind: {"id": 101 + number} for number, kind in enumerate(KINDS)}
ANN = {"email": "Ann@X.example"}
SALE = send("sale", {"receipts": [{"name": "C&A", "value": "52"}, {"name": "Zara", "value": 322.25}]})


def expertsender(**settings: Any) -> ExpertSender:
    base = {"base_url": "http://127.0.0.1:8090/expertsender", "api_key": "sandbox-expertsender", "events": EVENTS}
    return ExpertSender("e", ExpertSenderSettings.model_validate({"kind": "expertsender", **base, **settings}))


def course(facts: MemoryFacts, *events: Event, **settings: Any) -> Course:
    return bring(expertsender(**settings), events, VENDOR, facts)


def body(facts: MemoryFacts, event: Event, **settings: Any) -> dict[str, Any]:
    found = course(facts, event, **settings)
    assert found.outcomes[event.id].kind == "delivered"
    (only,) = found.bodies()
    return dict(only)


def known(facts: MemoryFacts, **contact: Any) -> MemoryFacts:
    course(facts, make_event("web.init", contact or ANN))
    return facts


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (SALE, [("Total", "Money", "374.25"), ("Tenants", "String", "C&A, Zara")]),
        (
            send("contact", {"appointmentDate": "2026-11-21 10:00:00", "senderType": "person"}),
            [("Appointment", "DateTime", "2026-11-21T10:00:00"), ("Sender", "String", "person")],
        ),
        (send("feedback", {"rating": 9}), [("Rating", "Number", "9")]),
        (send("engagement", {"description": "x"}), [("Description", "Text", "x")]),
        (send("profiling", {"percentCompleted": "12.5"}), [("Percent", "Number", "12.5")]),
        (send("visit", {"brands": ["Zara"]}), []),
        (make_event("web.register", {"lead": {"userEmail": "ann@x.example", "tags": ["t"]}}), []),
        (send("feedback", {"rating": None}), []),
    ],
)
def test_what_is_mapped(facts: MemoryFacts, event: Event, fields: list[tuple[str, str, str]]) -> None:
    expected = [*fields, ("Event ID", "String", event.id)]
    assert body(known(facts), event) == {
        "customEventId": EVENTS[event.kind]["id"],
        "customerEmail": "ann@x.example",
        "dataFields": [{"name": name, "type": of_type, "value": value} for name, of_type, value in expected],
    }


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (send("visit"), Filter.UNMAPPED),
        (send("feedback"), Filter.UNMAPPED),
        (make_event("web.register"), Filter.UNMAPPED),
        (make_event("web.init", ANN), Filter.NOT_AN_ACTIVITY),
        (make_event("mobile.init", ANN), Filter.NOT_AN_ACTIVITY),
        (send("visit", {"adId": "a", "campaignId": "c"}), Filter.AD_EVENT),
        (make_event("mobile.impression"), Filter.AD_EVENT),
        (make_event("mobile.sensors"), Filter.HIGH_VOLUME),
        (make_event("mobile.geo"), Filter.LOCATION_PRIVACY),
        (make_event("web.unknown"), Filter.UNMAPPED),
        (SALE, Filter.NO_CONTACT),
    ],
)
def test_what_is_filtered(facts: MemoryFacts, event: Event, rule: Filter) -> None:
    found = course(facts, event, events={"sale": {"id": 101}})
    assert (found.outcomes[event.id].kind, found.outcomes[event.id].reason) == ("filtered", rule)
    assert found.calls == []


MD5 = hashlib.md5(b"ann@x.example").hexdigest()
SHA256 = hashlib.sha256(b"ann@x.example").hexdigest()


@pytest.mark.parametrize(
    ("contact", "settings", "key"),
    [
        ({"email": " ANN@x.example", "phone": "1", "customerId": "c"}, {}, {"customerEmail": "ann@x.example"}),
        ({"phone": "+40 700", "customerId": "c"}, {}, {"customerPhone": "+40700"}),
        ({"customerId": 40712}, {}, {"customerCrmId": "40712"}),
        (ANN, {"hash_email": "md5"}, {"customerEmailMd5": MD5}),
        (ANN, {"hash_email": "sha256"}, {"customerEmailSha256": SHA256}),
        ({**ANN, "customerId": "c"}, {"identify_by": ["crm_id", "email"]}, {"customerCrmId": "c"}),
        ({"email": "a" * 320 + "@x.example", "phone": "0700"}, {}, {"customerPhone": "0700"}),
        ({"email": "undefined", "phone": "1" * 21, "customerId": "c" * 128}, {}, {"customerCrmId": "c" * 128}),
    ],
)
def test_one_key_says_who_it_is(
    facts: MemoryFacts, contact: dict[str, Any], settings: dict[str, Any], key: dict[str, str]
) -> None:
    found = body(known(facts, **contact), SALE, **settings)
    assert {name: value for name, value in found.items() if name.startswith("customer")} == key


def test_what_fits_no_key_is_told(facts: MemoryFacts) -> None:
    known(facts, email="a" * 320 + "@x.example", phone="1" * 21)
    outcome = course(facts, SALE).outcomes[SALE.id]
    assert (outcome.kind, outcome.reason) == ("dead", Dead.CONTACT_TOO_LONG)
    assert outcome.detail == "customerEmail: over 320, customerPhone: over 20"
    assert course(facts, SALE, hash_email="md5").outcomes[SALE.id].kind == "delivered"
    assert course(facts, SALE, identify_by=["crm_id"]).outcomes[SALE.id].reason == Filter.NO_CONTACT


def test_fields_and_constants_of_the_settings(facts: MemoryFacts) -> None:
    fields = {
        "Items": {"field": "items", "type": "Text"},
        "In": {"field": "currency"},
        "Who": {"field": "visitor_id"},
    }
    events = {"sale": {"id": 200, "fields": fields, "constants": {"A": "x", "B": True, "C": 1.5}}}
    found = body(known(facts), SALE, events=events, currency="EUR")["dataFields"]
    assert [(one["name"], one["type"], one["value"]) for one in found] == [
        ("Items", "Text", '[{"tenant":"C&A","price":52},{"tenant":"Zara","price":322.25}]'),
        ("In", "String", "EUR"),
        ("Who", "String", SALE.subject),
        ("A", "String", "x"),
        ("B", "Boolean", "true"),
        ("C", "Number", "1.5"),
        ("Event ID", "String", SALE.id),
    ]


def test_for_segments_nobody_needs_to_be_known(facts: MemoryFacts) -> None:
    found = course(facts, SALE, events={"sale": {"id": 101, "segments": [1, 5, 15], "fields": {}}})
    assert found.sent() == [("POST", "/expertsender/scenariocustomevents/withsegments")]
    assert found.bodies() == [
        {
            "customEventId": 101,
            "segments": [1, 5, 15],
            "dataFields": [{"name": "Event ID", "type": "String", "value": SALE.id}],
        }
    ]
    assert found.outcomes[SALE.id].kind == "delivered"


@pytest.mark.parametrize(
    ("value", "of_type", "expected"),
    [
        (1e18, "Number", "1" + "0" * 18),
        ("1e-3", "Money", "0.001"),
        ("ten", "Number", None),
        (True, "Number", None),
        ("2026-11-21 10:00:00", "Date", "2026-11-21"),
        ("2026-11-21T10:00:00+02:00", "DateTime", "2026-11-21T10:00:00+02:00"),
        ("2026-02-30", "Date", None),
        ("soon", "DateTime", None),
        ("YES", "Boolean", "true"),
        ("0", "Boolean", "false"),
        ("maybe", "Boolean", None),
        ("https://s.example/?a=b", "Url", "https://s.example/?a=b"),
        ("javascript:x", "Url", None),
        (["a", "b"], "Text", "a, b"),
        (3.0, "String", "3.0"),
    ],
)
def test_values_are_written_as_their_type(value: Any, of_type: DataType, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(WrongType, match=f"is no {of_type}"):
            written(value, of_type)
    else:
        assert written(value, of_type) == expected


def test_a_value_that_its_type_can_not_hold(facts: MemoryFacts) -> None:
    known(facts)
    bad, good = send("contact", {"appointmentDate": "soon"}), SALE
    found = course(facts, bad, good)
    outcome = found.outcomes[bad.id]
    assert (outcome.reason, outcome.detail) == (Dead.WRONG_TYPE, "Appointment: 'soon' is no DateTime")
    assert found.outcomes[good.id].kind == "delivered"


def test_one_event_a_call_in_order(facts: MemoryFacts) -> None:
    first, second = send("sale"), send("feedback")
    found = course(known(facts), first, second)
    assert [call.events for call in found.calls] == [(first,), (second,)]
    assert [call.request.headers["X-Event-Id"] for call in found.calls] == [first.id, second.id]
    late = send("sale", age=86_401.0)
    assert course(facts, late).outcomes[late.id].late


@pytest.mark.parametrize(
    ("contact", "events", "words"),
    [
        (ANN, {"sale": {"id": 7}}, "custom event 7"),
        ({"email": NOBODY}, {"sale": {"id": 101}}, "Customer does not exist"),
        ({"phone": "+9990700"}, {"sale": {"id": 101}}, "Customer does not exist"),
        (ANN, {"sale": {"id": 101, "segments": [100]}}, "segment does not exist"),
    ],
)
def test_404_says_what_may_be_unknown(
    facts: MemoryFacts, contact: dict[str, str], events: dict[str, Any], words: str
) -> None:
    outcome = course(known(facts, **contact), SALE, events=events).outcomes[SALE.id]
    assert (outcome.kind, outcome.reason) == ("dead", Dead.NOT_FOUND)
    assert words in outcome.detail


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (201, "delivered"),
        (400, Dead.REFUSED),
        (405, Dead.REFUSED),
        (413, Dead.TOO_LARGE),
        (404, Dead.NOT_FOUND),
        (401, Trouble.CREDENTIALS),
        (403, Trouble.CREDENTIALS),
        (408, Trouble.TIMEOUT),
        (429, Trouble.THROTTLED),
        (500, Trouble.SERVER_ERROR),
        (200, Trouble.UNREADABLE_REPLY),
        (204, Trouble.UNREADABLE_REPLY),
        (302, Trouble.UNREADABLE_REPLY),
    ],
)
def test_replies(facts: MemoryFacts, status: int, expected: str) -> None:
    destination = expertsender()
    (call,) = destination.plan([SALE], known(facts), NOW).calls
    found = destination.classify(call, Reply(status, {}, b'{"title":"Bad request","errors":["dataFields"]}'))
    outcome = found.outcomes.get(SALE.id)
    assert expected == (found.trouble if outcome is None else outcome.reason or outcome.kind)
    if status == 400:
        assert outcome is not None
        assert "dataFields" in outcome.detail
    assert destination.classify(call, Unreachable("x")).trouble is Trouble.NETWORK


def test_a_wrong_key_is_told_as_such(facts: MemoryFacts) -> None:
    stopped = course(known(facts), SALE, api_key="guess").stopped
    assert stopped is not None
    assert stopped.trouble is Trouble.CREDENTIALS
