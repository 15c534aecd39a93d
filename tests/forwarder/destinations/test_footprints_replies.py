"""What Footprints' replies mean: success is only what looks like it."""

from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from base.reasons import Dead, Trouble
from eventlog.event import Event
from forwarder.destinations.base import Call, Verdict
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from forwarder.destinations.footprints.visitor import REFUSAL_HOLDS
from forwarder.errors import ReplyTooLarge, TimedOut, TransportError, Unreachable
from forwarder.transport import Reply
from tests.support.destinations import MemoryFacts, bring
from tests.support.events import NOW, make_event, send

SETTINGS = FootprintsSettings(kind="footprints", base_url="shop.example", key=SecretStr("k"), secret=SecretStr("s"))
DESTINATION = Footprints("footprints", SETTINGS, {"shop": "key"})
KNOWN = {"id": "theirs", "utype": "p", "contact": {}}
INIT = make_event("web.init")
EVENTS = {
    "init": INIT,
    "send": send("visit"),
    "sensors": make_event("mobile.sensors", {"sensors": [{}]}),
    "geo": make_event("mobile.geo", {"lat": 1, "lon": 2}),
    "lead": make_event("web.register", {"lead": {"userEmail": "a@x.example"}}),
    "token": make_event("web.register", {"lead": {"userEmail": "a@x.example"}}),
}


def planned(purpose: str) -> Call:
    facts = MemoryFacts()
    event = EVENTS[purpose]
    if purpose != "init":
        facts.known[f"shop/{event.subject}/upstream"] = KNOWN
    if purpose == "lead":
        facts.known["token"] = {"access_token": "t", "expires": NOW + 1}
    (call,) = DESTINATION.plan([event], facts, NOW).calls
    assert call.purpose == purpose
    return call


def verdict(purpose: str, status: int, body: Any) -> Verdict:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return DESTINATION.classify(planned(purpose), Reply(status, {}, content))


TRACKING = ["init", "send", "sensors", "geo"]
ALL = [*TRACKING, "lead", "token"]


@pytest.mark.parametrize(
    ("purpose", "body"),
    [
        ("init", {"status": "ok", "pid": "x"}),
        ("init", {"status": "ok", "uid": "x"}),
        ("init", {"mobileId": 12}),
        ("send", {}),
        ("send", {"success": True, "message": "Track saved"}),
        ("sensors", {"success": True}),
        ("geo", {"success": "true"}),
        ("lead", {"_id": "6h7"}),
    ],
)
@pytest.mark.parametrize("status", [200, 201])
def test_success(purpose: str, body: Any, status: int) -> None:
    found = verdict(purpose, status, body)
    assert [outcome.kind for outcome in found.outcomes.values()] == ["delivered"]
    assert found.trouble is None


@pytest.mark.parametrize("purpose", ["init", "send", "sensors", "geo", "lead"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"success": False, "pid": "x", "_id": "1"}),
        (200, {"status": "error", "success": True, "pid": "x", "_id": "1"}),
        *[(status, {}) for status in (400, 404, 405, 409, 413, 422)],
        (400, b"<html>"),
    ],
)
def test_a_refusal_is_for_good(purpose: str, status: int, body: Any) -> None:
    found = verdict(purpose, status, body)
    assert [(outcome.kind, outcome.reason) for outcome in found.outcomes.values()] == [("dead", Dead.REFUSED)]
    assert str(status) in next(iter(found.outcomes.values())).detail


@pytest.mark.parametrize("purpose", ALL)
@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        *[(status, {}, Trouble.SERVER_ERROR) for status in (500, 502, 503, 507)],
        (408, {}, Trouble.TIMEOUT),
        (425, {}, Trouble.THROTTLED),
        (429, {}, Trouble.THROTTLED),
        (301, {}, Trouble.UNREADABLE_REPLY),
        (401, {}, Trouble.CREDENTIALS),
        (403, {"status": "error"}, Trouble.CREDENTIALS),
        *[(200, body, Trouble.UNREADABLE_REPLY) for body in (b"", b"<html>", b"[]", b"\xff")],
    ],
)
def test_trouble_is_worth_another_try(purpose: str, status: int, body: Any, trouble: Trouble) -> None:
    found = verdict(purpose, status, body)
    assert (found.trouble, dict(found.outcomes)) == (trouble, {})


@pytest.mark.parametrize(
    ("purpose", "body"),
    [
        ("init", {"status": "ok"}),
        ("init", {"pid": ""}),
        ("sensors", {}),
        ("geo", {"ok": 1}),
        ("lead", {}),
        ("token", {}),
    ],
)
def test_an_answer_without_what_it_is_for_is_no_success(purpose: str, body: Any) -> None:
    assert verdict(purpose, 200, body).trouble is Trouble.UNREADABLE_REPLY


@pytest.mark.parametrize("purpose", ALL)
@pytest.mark.parametrize("error", [Unreachable("x"), TimedOut("x"), ReplyTooLarge("x")])
def test_no_reply_at_all(purpose: str, error: TransportError) -> None:
    assert DESTINATION.classify(planned(purpose), error).trouble is error.trouble


def test_a_token_that_is_refused_is_forgotten() -> None:
    found = verdict("lead", 401, {})
    assert [(fact.key, fact.value, fact.secret) for fact in found.facts] == [("token", None, True)]
    assert verdict("lead", 503, {}).facts == ()
    assert verdict("send", 401, {}).facts == ()


@pytest.mark.parametrize("status", [400, 404])
def test_no_token_is_a_matter_of_the_settings(status: int) -> None:
    assert verdict("token", status, {}).trouble is Trouble.CREDENTIALS


def refuse(_request: object) -> Reply:
    return Reply(200, {}, b'{"status":"error","message":"no"}')


def run(facts: MemoryFacts, *events: Event, now: float = NOW) -> list[tuple[str, str]]:
    course = bring(DESTINATION, events, refuse, facts, now)
    return [(course.outcomes[event.id].kind, course.outcomes[event.id].reason) for event in events]


def test_a_refused_init_is_remembered_for_a_while(facts: MemoryFacts) -> None:
    first, second = send("visit"), send("visit")
    course = bring(DESTINATION, [first, second], refuse, facts)
    assert [call.purpose for call in course.calls] == ["init"]
    assert [course.outcomes[event.id].reason for event in (first, second)] == [Dead.UPSTREAM_INIT_REFUSED] * 2
    assert "no" in course.outcomes[first.id].detail
    for seconds, calls in ((REFUSAL_HOLDS - 1, 0), (REFUSAL_HOLDS, 1)):
        later = bring(DESTINATION, [send("visit", age=-seconds)], refuse, facts, NOW + seconds)
        assert [call.purpose for call in later.calls] == ["init"] * calls


def test_a_refused_init_that_tells_more_is_tried(facts: MemoryFacts) -> None:
    assert run(facts, INIT) == [("dead", Dead.REFUSED)]
    assert run(facts, make_event("web.init")) == [("dead", Dead.UPSTREAM_INIT_REFUSED)]
    assert run(facts, make_event("web.init", {"email": "a@x.example"})) == [("dead", Dead.REFUSED)]


def test_a_refused_email_does_not_cost_the_visitor(facts: MemoryFacts) -> None:
    """The id from before goes on being good."""
    event = make_event("web.visit", {"actionType": "visit", "email": "a@x.example"})
    facts.known[f"shop/{event.subject}/upstream"] = KNOWN
    (init,) = DESTINATION.plan([event], facts, NOW).calls
    facts.put(DESTINATION.classify(init, Reply(400)).facts)
    (call,) = DESTINATION.plan([event], facts, NOW).calls
    assert (call.purpose, call.events) == ("send", (event,))
    assert b"uid=theirs" in call.request.body
