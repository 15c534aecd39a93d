"""Leads: the token, the vendor's fields, and what is not sent."""

from typing import Any

import pytest

from base.ids import SeededIds
from base.reasons import Filter, Trouble
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from forwarder.sandbox.footprints import Footprints as Vendor
from forwarder.transport import Reply, Request
from tests.support.destinations import Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event

VENDOR = sandboxed(Vendor(SeededIds()), "/footprints")
CREDENTIALS = {"key": "sandbox-key", "secret": "sandbox-secret"}


def footprints(**settings: Any) -> Footprints:
    base_url = "http://127.0.0.1:8090/footprints"
    return Footprints("f", FootprintsSettings(kind="footprints", base_url=base_url, **settings), {"shop": "k"})


def lead(fields: dict[str, Any], **more: Any) -> Any:
    return make_event("web.register", {"lead": fields, "page": {"url": "u"}}, **more)


def course(facts: MemoryFacts, fields: dict[str, Any], **settings: Any) -> Course:
    return bring(footprints(**{**CREDENTIALS, **settings}), [lead(fields)], VENDOR, facts)


def test_a_token_then_leads_by_it(facts: MemoryFacts) -> None:
    events = [lead({"userEmail": f"{name}@x.example"}) for name in "ab"]
    found = bring(footprints(**CREDENTIALS), events, VENDOR, facts)
    assert found.sent() == [("POST", f"/footprints/api/{name}") for name in ("token", "lead", "lead")]
    assert found.calls[0].shared == "token"
    assert found.calls[0].request.headers["Authorization"] == "Basic c2FuZGJveC1rZXk6c2FuZGJveC1zZWNyZXQ="
    assert {outcome.kind for outcome in found.outcomes.values()} == {"delivered"}
    kept = facts.known[f"shop/{events[1].subject}/lead"]
    assert (len(kept["id"]), kept["event"]) == (24, events[1].id)


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({}, {"grant_type": "client_credentials"}),
        ({"grant_type": "pin", "pin": "1234"}, {"grant_type": "pin", "pin": "1234"}),
        (
            {"grant_type": "password", "username": "u", "password": "p w"},
            {"grant_type": "password", "username": "u", "password": "p w"},
        ),
    ],
)
def test_grants(facts: MemoryFacts, settings: dict[str, Any], body: dict[str, str]) -> None:
    found = course(facts, {"userEmail": "a@x.example"}, **settings)
    assert found.bodies()[0] == body
    assert len(found.calls) == 2


def test_a_token_is_asked_for_again_before_it_ends(facts: MemoryFacts) -> None:
    short = sandboxed(Vendor(SeededIds(), token_seconds=100), "/footprints")
    destination = footprints(**CREDENTIALS)
    for age, calls in ((0, 2), (89, 1), (91, 2)):
        assert len(bring(destination, [lead({"nps": 1})], short, facts, NOW + age).calls) == calls


def test_without_credentials_there_are_no_leads(facts: MemoryFacts) -> None:
    event = lead({"userEmail": "a@x.example"})
    found = bring(footprints(), [event], VENDOR, facts)
    assert (found.outcomes[event.id].kind, found.outcomes[event.id].reason) == ("filtered", Filter.NO_LEAD_CREDENTIALS)


def test_a_refused_token_is_replaced_once(facts: MemoryFacts) -> None:
    facts.known["token"] = {"access_token": "old&stale", "expires": NOW + 1000}
    event = lead({"userEmail": "a@x.example"})
    destination = footprints(**CREDENTIALS)
    first = bring(destination, [event], VENDOR, facts)
    assert first.stopped is not None
    assert first.stopped.trouble is Trouble.CREDENTIALS
    assert first.calls[0].request.url.endswith("?access_token=old%26stale")
    assert bring(destination, [event], VENDOR, facts).outcomes[event.id].kind == "delivered"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"userFirstName": "Ann", "userCity": "", "x": None, "tags": []}, {"userFirstName": "Ann"}),
        (
            {"agreeTandc": True, "agreePrivacy": "on", "isAdult": 0, "hasKids": "maybe"},
            {"agreeTandc": "true", "agreePrivacy": "true", "isAdult": "false", "hasKids": "maybe"},
        ),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"]}),
        ({"tags": "a"}, {"tags": ["a"]}),
        (
            {"marketingChannels": [{"channel": "sms", "type": "owner", "agreed": True}]},
            {"marketingChannels": [{"channel": "sms", "type": "owner", "agreed": "true"}]},
        ),
        (
            {"customDetails": {"vouchers": {"shopId": 1, "amount": 22.5}, "ok": False}},
            {"customDetails": {"vouchers": {"shopId": "1", "amount": "22.5"}, "ok": "false"}},
        ),
        ({"cv": {"name": "cv.pdf", "type": "application/pdf", "data": "JVBERi0x"}, "nps": 9}, {"nps": "9"}),
        ({"cv": {"name": "cv.pdf", "type": "application/pdf", "bytes": 9, "file": "e/0"}, "nps": 9}, {"nps": "9"}),
        ({"photo": "data:image/png;base64,AAAA", "raw": "A" * 9000, "nps": 9}, {"nps": "9"}),
        ({"docs": [{"type": "a/b", "data": "x"}], "nps": 9}, {"nps": "9"}),
        ({"userComments": "word " * 3000, "mySize\0": "X\0L"}, {"userComments": "word " * 3000, "mySize": "XL"}),
    ],
)
def test_fields_are_the_vendors(facts: MemoryFacts, fields: dict[str, Any], sent: dict[str, Any]) -> None:
    body = course(facts, fields).bodies()[1]
    assert {name: value for name, value in body.items() if name not in ("createdAt", "timezone")} == sent


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, ("2027-01-15 08:00:00", "UTC")),
        ({"timezone": "Europe/Bucharest"}, ("2027-01-15 10:00:00", "Europe/Bucharest")),
        ({"timezone": "Mars/Base"}, ("2027-01-15 08:00:00", "UTC")),
        ({"timezone": "../../etc/passwd"}, ("2027-01-15 08:00:00", "UTC")),
        ({"createdAt": "2026-01-01 00:00:00", "timezone": "Asia/Tokyo"}, ("2026-01-01 00:00:00", "Asia/Tokyo")),
        ({"createdAt": "yesterday", "timezone": "Asia/Tokyo"}, ("2027-01-15 17:00:00", "Asia/Tokyo")),
        ({"createdAt": "2026-01-01 00:00:00"}, ("2027-01-15 08:00:00", "UTC")),
    ],
)
def test_the_date_is_in_a_zone(facts: MemoryFacts, fields: dict[str, Any], sent: tuple[str, str]) -> None:
    body = course(facts, {"nps": 5, **fields}).bodies()[1]
    assert (body["createdAt"], body["timezone"]) == sent


def test_an_old_lead_is_sent_as_it_carries_its_date(facts: MemoryFacts) -> None:
    event = lead({"nps": 5}, age=90_000.0)
    assert bring(footprints(**CREDENTIALS), [event], VENDOR, facts).outcomes[event.id].kind == "delivered"


def test_a_lead_that_was_answered_before_a_kill_is_not_sent_twice(facts: MemoryFacts) -> None:
    event = lead({"nps": 5})
    destination = footprints(**CREDENTIALS)
    bring(destination, [event], VENDOR, facts)
    assert bring(destination, [event], VENDOR, facts).calls == []
    assert len(bring(destination, [event._replace(replayed=True)], VENDOR, facts).calls) == 1


def test_what_the_vendor_does_not_say_about_a_tokens_life(facts: MemoryFacts) -> None:
    def answer(request: Request) -> Reply:
        return Reply(200, {}, b'{"access_token":"t"}' if request.url.endswith("token") else b'{"_id":"1"}')

    bring(footprints(**CREDENTIALS), [lead({"nps": 5})], answer, facts)
    assert facts.known["token"]["expires"] == pytest.approx(NOW + 54)
