"""RAY's column of contracts.md, section 3, against the sandboxed vendor."""

from typing import Any

import orjson
import pytest

from base.ids import SeededIds
from base.reasons import Dead, Filter, Trouble
from eventlog.event import Event
from forwarder.destinations.ray import Ray, RaySettings
from forwarder.destinations.ray.destination import MAX_BYTES
from forwarder.errors import TimedOut
from forwarder.sandbox.ray import HOUR
from forwarder.sandbox.ray import Ray as Vendor
from forwarder.transport import Reply
from tests.support.destinations import Answer, Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

KINDS = ("visit", "sale", "contact", "feedback", "engagement", "profiling", "register")
EVENTS = {kind: {"type": kind.upper(), "sub_type": "X"} for kind in KINDS}
SETTINGS = {
    "kind": "ray",
    "base_url": "http://127.0.0.1:8090/ray",
    "client_id": "sandbox-ray",
    "client_secret": "sandbox-ray-secret",
    "username": "sandbox-user",
    "password": "sandbox-password",
    "store_id": "sandbox-store",
}
ANN = {"email": " Ann@X.example ", "phone": "+40 700-1"}
SALE = send("sale", {"receipts": [{"name": "C&A", "value": "52"}, {"name": "C&A", "value": 1.5}, {"name": "Zara"}]})
LEAD = make_event(
    "web.register",
    {
        "lead": {
            "userEmail": "ann@x.example",
            "userFirstName": "Ann",
            "userLastName": "Pop",
            "userSex": "female",
            "userBirthday": "1990-01-31",
            "userCountry": "Romania",
            "facebookUrl": "https://f.example/ann",
            "tags": ["t"],
            "locationId": 5,
        }
    },
)


def vendor(now: float = NOW, life: int = HOUR) -> Answer:
    return sandboxed(Vendor(SeededIds(1), life), "/ray", now)


def ray(**settings: Any) -> Ray:
    return Ray("ray", RaySettings.model_validate({"events": EVENTS, **SETTINGS, **settings}))


def course(facts: MemoryFacts, *events: Event, **settings: Any) -> Course:
    return bring(ray(**settings), events, vendor(), facts)


def known(facts: MemoryFacts) -> MemoryFacts:
    course(facts, make_event("web.init", ANN))
    return facts


def interaction(facts: MemoryFacts, event: Event, **settings: Any) -> dict[str, Any]:
    found = course(facts, event, **settings)
    assert found.outcomes[event.id].kind == "delivered"
    (only,) = found.bodies()[-1]
    return dict(only)


@pytest.mark.parametrize(
    ("event", "props"),
    [
        (SALE, {"amount": 53.5, "tenants": ["C&A", "Zara"]}),
        (
            send("contact", {"appointmentDate": "2026-11-21 10:00:00", "senderType": "person"}),
            {"appointment_date": "2026-11-21 10:00:00", "sender_type": "person"},
        ),
        (send("feedback", {"rating": "9"}), {"rating": 9}),
        (send("engagement", {"description": "x"}), {"description": "x"}),
        (send("profiling", {"percentCompleted": 5}), {"percent_completed": 5}),
        (send("visit", {"brands": ["Zara"], "tenants": []}), {"brands": ["Zara"]}),
        (LEAD, {"tags": ["t"], "location_id": "5"}),
    ],
)
def test_what_is_mapped(facts: MemoryFacts, event: Event, props: dict[str, Any]) -> None:
    found = interaction(known(facts), event)
    user = found.pop("user")
    assert (user["email"], user["phone"]) == ("ann@x.example", "+407001")
    assert found == {
        "type": event.kind.upper(),
        "subType": "X",
        "storeId": "sandbox-store",
        "source": "OTHER",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "customProps": {**props, "event_id": event.id},
    }


def test_a_lead_says_who_it_is(facts: MemoryFacts) -> None:
    assert interaction(facts, LEAD, countries={"romania": "RO"})["user"] == {
        "email": "ann@x.example",
        "name": "Ann",
        "lastName": "Pop",
        "gender": "F",
        "birthDate": "1990-01-31T00:00:00.000Z",
        "country": "RO",
        "facebookProfile": "https://f.example/ann",
    }


@pytest.mark.parametrize(
    ("lead", "user"),
    [
        ({"userCountry": "ro", "userSex": "M"}, {"country": "RO", "gender": "M"}),
        ({"userCountry": "Romania", "userSex": "?", "userBirthday": "once"}, {}),
        ({"userPhone": "0700", "instagramProfile": "https://i"}, {"phone": "0700", "instagramProfile": "https://i"}),
    ],
)
def test_what_ray_has_no_value_for_costs_the_lead_nothing(
    facts: MemoryFacts, lead: dict[str, Any], user: dict[str, Any]
) -> None:
    found = interaction(facts, make_event("web.register", {"lead": {"userEmail": "a@x.example", **lead}}))
    assert found["user"] == {"email": "a@x.example", **user}


def test_fields_and_constants_of_the_settings(facts: MemoryFacts) -> None:
    mapping = {"fields": {"sum": "total_amount", "in": "currency", "by": "surface"}, "constants": {"n": 1, "m": True}}
    events = {"sale": {"type": "A", "sub_type": "B", **mapping}}
    found = interaction(known(facts), SALE, events=events, currency="EUR", store_id="sandbox-store")
    props = {"sum": 53.5, "in": "EUR", "by": "web", "n": 1, "m": True, "event_id": SALE.id}
    assert (found["type"], found["customProps"]) == ("A", props)
    (call,) = plan_with_token(ray(store_id=4711), facts).calls
    assert orjson.loads(call.request.body)[0]["storeId"] == 4711


def plan_with_token(destination: Ray, facts: MemoryFacts) -> Any:
    facts.known["token"] = {"access_token": "t", "expires": NOW + 60}
    return destination.plan([SALE], facts, NOW)


@pytest.mark.parametrize(
    ("event", "events", "rule"),
    [
        (send("visit"), {}, Filter.HIGH_VOLUME),
        (send("engagement"), {}, Filter.UNMAPPED),
        (send("profiling"), {}, Filter.UNMAPPED),
        (make_event("web.init", ANN), EVENTS, Filter.NOT_AN_ACTIVITY),
        (make_event("mobile.init", ANN), EVENTS, Filter.NOT_AN_ACTIVITY),
        (send("visit", {"adId": "a", "campaignId": "c"}), EVENTS, Filter.AD_EVENT),
        (make_event("mobile.reach"), EVENTS, Filter.AD_EVENT),
        (make_event("mobile.sensors"), EVENTS, Filter.HIGH_VOLUME),
        (make_event("mobile.geo"), EVENTS, Filter.LOCATION_PRIVACY),
        (make_event("web.unknown"), EVENTS, Filter.UNMAPPED),
        (SALE, EVENTS, Filter.NO_CONTACT),
    ],
)
def test_what_is_filtered(facts: MemoryFacts, event: Event, events: dict[str, Any], rule: Filter) -> None:
    found = course(facts, event, events=events or {"feedback": EVENTS["feedback"]})
    assert (found.outcomes[event.id].kind, found.outcomes[event.id].reason) == ("filtered", rule)
    assert found.calls == []


def test_one_token_for_all_until_it_is_old(facts: MemoryFacts) -> None:
    destination, answer = ray(), vendor(life=1000)
    known(facts).known.pop("token", None)
    first = bring(destination, [SALE], answer, facts)
    assert first.sent() == [("POST", "/ray/oauth/token"), ("POST", "/ray/events/interaction")]
    assert (first.calls[0].shared, first.calls[0].events) == ("token", ())
    assert first.bodies()[0] == {
        "grant_type": "password",
        "username": "sandbox-user",
        "password": "sandbox-password",
    }
    again = send("sale")
    assert len(bring(destination, [again], answer, facts, NOW + 899).calls) == 1
    assert len(bring(destination, [send("sale")], answer, facts, NOW + 900).calls) == 2


def test_a_token_that_ray_has_forgotten_is_fetched_anew(facts: MemoryFacts) -> None:
    destination = ray()
    known(facts).known["token"] = {"access_token": "0" * 62, "expires": NOW + 60}
    stopped = bring(destination, [SALE], vendor(), facts)
    assert stopped.stopped is not None
    assert (stopped.stopped.trouble, "token" in facts.known) == (Trouble.CREDENTIALS, False)
    assert bring(destination, [SALE], vendor(), facts).outcomes[SALE.id].kind == "delivered"


@pytest.mark.parametrize("wrong", [{"password": "x"}, {"client_secret": "x"}])
def test_wrong_credentials_are_told_as_such(facts: MemoryFacts, wrong: dict[str, str]) -> None:
    stopped = course(known(facts), SALE, **wrong).stopped
    assert stopped is not None
    assert stopped.trouble is Trouble.CREDENTIALS


def test_batches(facts: MemoryFacts) -> None:
    known(facts)
    found = course(facts, *(send("sale") for _ in range(21)), batch_events=10)
    assert [len(body) for body in found.bodies()[1:]] == [10, 10, 1]
    large = [send("engagement", {"description": "x" * 300_000}) for _ in range(4)]
    found = course(facts, *large)
    assert [len(body) for body in found.bodies()] == [3, 1]
    assert all(len(call.request.body) <= MAX_BYTES for call in found.calls)
    whale = send("engagement", {"description": "x" * MAX_BYTES})
    assert course(facts, whale).outcomes[whale.id].reason == Dead.TOO_LARGE


def test_what_is_late_is_delivered_and_says_so(facts: MemoryFacts) -> None:
    known(facts)
    old, young = send("sale", age=86_401.0), send("sale", age=86_399.0)
    found = course(facts, old, young)
    assert [found.outcomes[event.id].late for event in (old, young)] == [True, False]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"statusCode":200,"result":"success"}', "delivered"),
        (200, b'{"statusCode":400,"message":"bad"}', "split"),
        (200, b'{"statusCode":422}', "split"),
        (200, b'{"statusCode":413}', "split"),
        (400, b"", "split"),
        (200, b'{"statusCode":401}', Trouble.CREDENTIALS),
        (200, b'{"statusCode":403}', Trouble.CREDENTIALS),
        (401, b"", Trouble.CREDENTIALS),
        (200, b'{"statusCode":429}', Trouble.THROTTLED),
        (429, b"", Trouble.THROTTLED),
        (200, b'{"statusCode":500}', Trouble.SERVER_ERROR),
        (503, b"", Trouble.SERVER_ERROR),
        (408, b"", Trouble.TIMEOUT),
        (200, b'{"statusCode":0}', Trouble.UNREADABLE_REPLY),
        (200, b'{"statusCode":"200"}', Trouble.UNREADABLE_REPLY),
        (200, b'{"result":"success"}', Trouble.UNREADABLE_REPLY),
        (200, b"<html>", Trouble.UNREADABLE_REPLY),
        (204, b"", Trouble.UNREADABLE_REPLY),
        (302, b"", Trouble.UNREADABLE_REPLY),
    ],
)
def test_replies(facts: MemoryFacts, status: int, body: bytes, expected: str) -> None:
    destination = ray()
    known(facts).known["token"] = {"access_token": "t", "expires": NOW + 60}
    both = [send("sale"), send("sale")]
    for events in (both, both[:1]):
        (call,) = destination.plan(events, facts, NOW).calls
        found = destination.classify(call, Reply(status, {}, body))
        kinds = {outcome.kind for outcome in found.outcomes.values()}
        if expected == "split":
            reason = Dead.TOO_LARGE if b"413" in body else Dead.REFUSED
            alone = {outcome.reason for outcome in found.outcomes.values()} == {reason}
            assert found.split == (len(events) > 1) != alone
        elif expected == "delivered":
            assert (kinds, len(found.outcomes)) == ({"delivered"}, len(events))
        else:
            assert (found.trouble, kinds, found.split) == (expected, set(), False)
            assert bool(found.facts) == (expected == Trouble.CREDENTIALS)
    assert destination.classify(call, TimedOut("x")).trouble is Trouble.TIMEOUT
