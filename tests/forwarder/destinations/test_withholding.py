"""A visitor's no: what counts as one, and that a destination that obeys it gets nothing of the event, nor learns from it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.reasons import Filter
from base.settings import validate
from collector.judging.signals import consent, read_cookies
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from forwarder.destinations.withholding import noes
from forwarder.sandbox.netcore import Netcore as Vendor
from forwarder.settings import ForwarderRoot
from tests.support.destinations import MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

NETCORE = {
    "kind": "netcore",
    "base_url": "http://127.0.0.1:8090/netcore",
    "api_key": "sandbox-netcore",
    "web_asset_id": "web-asset",
}
VENDOR = sandboxed(Vendor(), "/netcore")


def netcore(**settings: Any) -> Destination:
    (built,) = build_destinations(validate(ForwarderRoot, {"destinations": {"n": {**NETCORE, **settings}}}, "test"))
    return built


@pytest.mark.parametrize(
    ("cookie", "headers", "said"),
    [
        ("", {}, set()),
        ("", {"sec-gpc": "1"}, {"gpc"}),
        ("", {"dnt": "1", "sec-gpc": "1"}, {"gpc", "dnt"}),
        ("", {"dnt": "0", "sec-gpc": "0"}, set()),
        ("accepted", {"dnt": "1", "sec-gpc": "1"}, set()),
        ("declined", {"sec-gpc": "1"}, {"gpc", "declined", "no_analytics", "no_marketing"}),
        ('{"analytics":true}', {"sec-gpc": "1"}, set()),
        ('{"analytics":true,"marketing":false}', {"sec-gpc": "1"}, {"gpc", "no_marketing"}),
        ('{"analytics":false,"marketing":true}', {}, {"no_analytics"}),
        ('{"analytics":false,"marketing":false}', {}, {"declined", "no_analytics", "no_marketing"}),
        ('{"marketing":false}', {}, {"declined", "no_marketing"}),
        ('{"else":false}', {"dnt": "1"}, {"dnt"}),
    ],
)
def test_what_the_collector_records_is_a_no_or_none(cookie: str, headers: dict[str, str], said: set[str]) -> None:
    recorded = consent(headers, read_cookies({"cookie": f"cookie_consent={cookie}"}))
    assert noes(recorded or "") == said


@given(st.text(st.sampled_from("cookie=acptdgn1:yo,;marketinglis")) | st.text())
def test_nothing_that_may_stand_in_the_log_is_too_much(text: str) -> None:
    assert noes(text) <= {"gpc", "dnt", "declined", "no_analytics", "no_marketing"}


def test_by_default_two_are_obeyed_and_what_was_said_is_told() -> None:
    events = [
        send("visit", {}, consent=said)
        for said in (None, "gpc=1", "dnt=1", "cookie=declined;gpc=1", "cookie=accepted;gpc=1", "cookie=marketing:no,analytics:yes")
    ]  # fmt: skip
    found = bring(netcore(), events, VENDOR, MemoryFacts())
    assert [(outcome.kind, outcome.reason, outcome.detail) for outcome in map(found.outcomes.get, ids(events)) if outcome] == [
        ("delivered", "", ""),
        ("filtered", Filter.WITHHELD, "gpc"),
        ("delivered", "", ""),
        ("filtered", Filter.WITHHELD, "gpc, declined"),
        ("delivered", "", ""),
        ("delivered", "", ""),
    ]  # fmt: skip
    sent = {activity["activity_params"]["event_id"] for body in found.bodies() for activity in body}
    assert sent == {events[place].id for place in (0, 2, 4, 5)}


def ids(events: list[Any]) -> list[str]:
    return [event.id for event in events]


@pytest.mark.parametrize(
    ("withhold", "consents", "delivered"),
    [
        ([], "gpc=1;dnt=1", True),
        ([], "cookie=declined", True),
        (["dnt"], "gpc=1;dnt=1", False),
        (["no_marketing"], "cookie=declined", False),
        (["no_marketing"], "cookie=analytics:yes,marketing:no", False),
        (["no_analytics"], "cookie=analytics:yes,marketing:no", True),
    ],
)
def test_as_the_settings_say(withhold: list[str], consents: str, delivered: bool) -> None:
    for again in (False, True):
        event = send("visit", {}, consent=consents, replayed=again)
        found = bring(netcore(withhold=withhold), [event], VENDOR, MemoryFacts())
        assert (found.outcomes[event.id].kind == "delivered", len(found.calls)) == (delivered, int(delivered))


def test_nothing_is_learned_of_who_says_no_but_from_a_lead() -> None:
    told = {"email": "ann@example.com"}
    facts = MemoryFacts()
    init = make_event("web.init", told, consent="gpc=1")
    assert netcore().plan([init], facts, NOW).facts == ()
    assert len(netcore(withhold=[]).plan([init], facts, NOW).facts) == 1
    lead = make_event("web.register", {"lead": {"userEmail": "ann@example.com", "tags": ["vip"]}}, consent="gpc=1")
    assert bring(netcore(), [lead], VENDOR, facts).outcomes[lead.id].kind == "delivered"


@pytest.mark.parametrize(
    ("settings", "delivered"),
    [
        ({}, ["headless", None]),
        ({"filter_bots": []}, ["crawler", "monitor", "headless", None]),
        ({"filter_bots": ["headless"], "withhold": []}, ["crawler", "monitor", None]),
    ],
)
def test_what_a_listed_rule_tagged_is_not_sent(settings: dict[str, Any], delivered: list[str | None]) -> None:
    rules = ["crawler", "monitor", "headless", None]
    events = [send("visit", {}, botrule=rule, replayed=rule == "crawler") for rule in rules]
    found = bring(netcore(**settings), events, VENDOR, MemoryFacts())
    told = {event.botrule: found.outcomes[event.id] for event in events}
    assert [rule for rule, outcome in told.items() if outcome.kind == "delivered"] == delivered
    filtered = {rule: outcome.reason for rule, outcome in told.items() if outcome.kind == "filtered"}
    assert filtered == {rule: f"bot:{rule}" for rule in rules if rule not in delivered}


def test_nothing_is_learned_of_a_program_and_its_lead_does_not_go() -> None:
    init = make_event("web.init", {"email": "ann@example.com"}, botrule="crawler")
    assert netcore().plan([init], MemoryFacts(), NOW).facts == ()
    lead = make_event("web.register", {"lead": {"userEmail": "ann@example.com"}}, botrule="crawler", consent="gpc=1")
    assert bring(netcore(), [lead], VENDOR, MemoryFacts()).outcomes[lead.id].reason == "bot:crawler"
