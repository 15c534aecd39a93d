"""Any event, any reply: a destination plans and judges, and never raises."""

from collections.abc import Iterator
from typing import Any, get_args

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from base.ids import SeededIds
from base.reasons import Dead, Filter, Parked
from eventlog.event import Event
from examples.webhook.ochn_webhook import Webhook, WebhookSettings
from forwarder.destinations.base import Destination
from forwarder.destinations.engagelab import EngageLab, EngageLabSettings
from forwarder.destinations.expertsender import ExpertSender, ExpertSenderSettings
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.netcore import Netcore, NetcoreSettings
from forwarder.destinations.netcore.destination import MAX_ACTIVITIES, MAX_BYTES
from forwarder.destinations.params import PARAMS, fields_told
from forwarder.destinations.ray import Ray, RaySettings
from forwarder.destinations.values import clean
from forwarder.errors import Unreachable
from forwarder.sandbox.engagelab import EngageLab as SandboxedEngageLab
from forwarder.sandbox.expertsender import ExpertSender as SandboxedExpertSender
from forwarder.sandbox.ray import Ray as SandboxedRay
from forwarder.sandbox.vendor import Vendor
from forwarder.transport import Reply
from tests.support.destinations import MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event


def written(value: Any) -> bytes:
    return orjson.dumps(clean(value))


texts = st.text(max_size=20) | st.sampled_from(
    ["a@x.example", "12.5", "-4", "\0", "true", "data:x", "2026-11-21 10:00:00"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))
FIELDS = """
    additionalData technicalInfo page utm lead sensors lat lon accuracy email phone customerId uType requestType
    actionType pushNotificationToken tags brands receipts rating name value rssi adId campaignId userEmail createdAt
    timezone marketingChannels agreed userPhone userExternalId userSex userBirthday userCountry appointmentDate
"""
fields = st.sampled_from(FIELDS.split())
objects = st.recursive(
    st.dictionaries(fields, scalars, max_size=6),
    lambda inner: st.dictionaries(fields, inner | st.lists(inner, max_size=3) | values, max_size=6),
)
kinds = st.sampled_from(
    [
        f"{surface}.{kind}"
        for surface in ("web", "mobile")
        for kind in ("init", "visit", "sale", "feedback", "sensors", "geo")
    ]
    + [
        "web.register",
        "register",
        "web.contact",
        "mobile.impression",
        "web.engagement",
        "mobile.profiling",
        "x.unknown",
    ]
)
moments = st.sampled_from(["2027-01-15T08:00:00.000Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "later", ""])
events = st.builds(
    make_event,
    kinds,
    objects,
    subject=texts.filter(bool),
    time=moments,
    receivedtime=moments,
    foreignid=st.booleans(),
    replayed=st.booleans(),
    useragent=st.none() | texts,
    clientaddress=st.none() | texts,
    appkeyname=st.sampled_from(["shop", "other"]),
)
replies = st.just(Unreachable("gone")) | st.builds(
    Reply,
    st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 413, 429, 500]),
    st.just({}),
    st.binary(max_size=20) | values.filter(lambda value: clean(value) is not None).map(written),
)
CODES = st.sampled_from([0, -1, 200, 400, 401, 40050, 40007, 55108, 55004, 7])
NAMES = st.sampled_from(["status", "success", "pid", "_id", "access_token", "expires_in", "code", "statusCode", "data"])
ANSWERS = st.dictionaries(NAMES, values | CODES)
KINDS = get_args(ActivityKind)
REASONS = {*Dead, *Filter, *Parked, ""}


def footprints() -> Destination:
    secret = SecretStr("s")
    chosen = FootprintsSettings(
        kind="footprints", base_url="x.example", key=secret, secret=secret, forward_address=True
    )
    return Footprints("f", chosen, {"shop": "key"})


def netcore() -> Destination:
    opt_ins = dict.fromkeys(("session_start", "ad_impression", "beacon_seen", "location"), True)
    options = {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "w", "app_asset_id": "a", **opt_ins}
    return Netcore("n", NetcoreSettings.model_validate(options))


def ray() -> Destination:
    mapped = {kind: {"type": "A", "sub_type": "B"} for kind in KINDS}
    client = {"client_id": "sandbox-ray", "client_secret": "sandbox-ray-secret", "store_id": "sandbox-store"}
    user = {"username": "sandbox-user", "password": "sandbox-password"}
    return Ray("r", RaySettings.model_validate({"kind": "ray", **client, **user, "events": mapped}))


def expertsender() -> Destination:
    mapped: dict[str, Any] = {kind: {"id": 101} for kind in KINDS}
    mapped["visit"]["fields"] = {"Page": {"field": "page_url", "type": "Url"}, "Seen": {"field": "brands"}}
    mapped["geo"]["segments"] = [1]
    options = {"kind": "expertsender", "api_key": "sandbox-expertsender", "events": mapped}
    return ExpertSender("x", ExpertSenderSettings.model_validate(options))


def engagelab() -> Destination:
    keys = {"api_key": "sandbox-engagelab", "api_secret": "sandbox-engagelab-secret"}
    options = {"kind": "engagelab", "base_url": "x.example", **keys, "events": {kind: {} for kind in KINDS}}
    return EngageLab("e", EngageLabSettings.model_validate(options))


def webhook() -> Destination:
    return Webhook("w", WebhookSettings.model_validate({"kind": "webhook", "url": "x.example", "secret": "s"}))


@given(found=events, kind=st.sampled_from(KINDS), currency=st.none() | st.just("EUR"))
def test_what_a_mapping_is_made_of_is_clean(found: Event, kind: ActivityKind, currency: str | None) -> None:
    """Nobody looks through it again before it is sent."""
    for told in (PARAMS[kind](found.data, currency), fields_told(found, kind, currency)):
        assert told == (clean(told) or {})


@settings(max_examples=150, deadline=None)
@given(
    found=st.lists(events, min_size=1, max_size=5),
    answers=st.lists(replies | st.builds(Reply, st.just(200), st.just({}), ANSWERS.map(written)), max_size=8),
    which=st.sampled_from([footprints, netcore, ray, expertsender, engagelab, webhook]),
)
def test_any_event_and_any_reply(found: list[Event], answers: list[Any], which: Any) -> None:
    destination, facts = which(), MemoryFacts()
    left = {event.id: event for event in found}
    for answer in answers:
        if not left:
            break
        plan = destination.plan(list(left.values()), facts, NOW)
        assert plan.calls or plan.settled
        facts.put(plan.facts)
        for call in plan.calls:
            verdict = destination.classify(call, answer)
            facts.put(verdict.facts)
            told = {event.id for event in call.events}
            assert (verdict.outcomes.keys() == told) or verdict.trouble or verdict.split or not verdict.outcomes
            assert bool(verdict.outcomes) + bool(verdict.trouble) + verdict.split <= 1
            assert not call.events or verdict.outcomes or verdict.trouble or verdict.split or verdict.facts
            settle(left, verdict.outcomes)
        settle(left, plan.settled)
    orjson.dumps(dict(facts.known))


def settle(left: dict[str, Event], outcomes: Any) -> None:
    for event_id, outcome in outcomes.items():
        assert outcome.reason in REASONS
        left.pop(event_id, None)


@settings(max_examples=100, deadline=None)
@given(found=st.lists(events, min_size=1, max_size=5))
def test_netcore_never_gets_what_makes_it_drop_an_activity(found: list[Event]) -> None:
    for call in netcore().plan(found, MemoryFacts(), NOW).calls:
        activities = orjson.loads(call.request.body)
        assert 0 < len(activities) <= MAX_ACTIVITIES
        assert len(call.request.body) <= MAX_BYTES
        for activity in activities:
            assert not [value for value in within(activity) if value in (None, "", [], {})]
            assert b"\\u0000" not in orjson.dumps(activity)
            assert isinstance(activity["activity_params"], dict)


SANDBOXED: dict[Any, tuple[Vendor, str]] = {
    ray: (SandboxedRay(SeededIds(1)), ""),
    expertsender: (SandboxedExpertSender(), ""),
    engagelab: (SandboxedEngageLab(), ""),
}


@settings(max_examples=60, deadline=None)
@given(
    found=st.lists(events, min_size=1, max_size=4, unique_by=lambda event: event.id),
    which=st.sampled_from([*SANDBOXED]),
)
def test_no_vendor_refuses_what_is_sent(found: list[Event], which: Any) -> None:
    """Whatever a limit of theirs forbids is found before: the sandbox, which checks each, never has to say no."""
    course = bring(which(), found, sandboxed(*SANDBOXED[which]), MemoryFacts())
    assert course.stopped is None
    assert course.outcomes.keys() == {event.id for event in found}
    dead = {outcome.reason for outcome in course.outcomes.values() if outcome.kind == "dead"}
    assert dead <= {Dead.WRONG_TYPE, Dead.CONTACT_TOO_LONG}


def within(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from within(inner)


@given(values)
def test_what_is_clean_has_nothing_empty_and_stays_so(value: Any) -> None:
    once = clean(value)
    if once is not None:
        assert not [inner for inner in within(once) if inner is None or inner in ("", [], {})]
    assert clean(once) == once
    orjson.dumps(once)
