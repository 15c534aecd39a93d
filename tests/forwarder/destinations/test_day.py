"""A visitor's day at each vendor: the bodies that stand in the pages are those that the sandbox receives.

When a mapping changes on purpose, this test's message holds what to put into the page.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.clock import from_rfc3339, rfc3339
from base.ids import SeededIds
from base.settings import validate
from eventlog.event import Event
from forwarder.destinations.build import build_destinations
from forwarder.sandbox.engagelab import EngageLab
from forwarder.sandbox.expertsender import ExpertSender
from forwarder.sandbox.footprints import Footprints
from forwarder.sandbox.netcore import Netcore
from forwarder.sandbox.ray import Ray
from forwarder.sandbox.vendor import Vendor
from forwarder.settings import ForwarderRoot
from tests.support.destinations import MemoryFacts, bring, sandboxed
from tests.support.events import make_event

DOCS = Path(__file__).parents[3] / "docs" / "destinations"
MORNING = from_rfc3339("2026-11-21T10:00:00Z")
KINDS = ("sale", "contact", "feedback", "engagement", "profiling", "register")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "footprints": {"key": "sandbox-key", "secret": "sandbox-secret"},
    "netcore": {
        "api_key": "sandbox-netcore",
        "web_asset_id": "web-asset",
        "app_asset_id": "app-asset",
        "currency": "RON",
    },
    "ray": {
        "client_id": "sandbox-ray",
        "client_secret": "sandbox-ray-secret",
        "username": "sandbox-user",
        "password": "sandbox-password",
        "store_id": "sandbox-store",
        "countries": {"Romania": "RO"},
        "events": {kind: {"type": kind.upper(), "sub_type": "MALL"} for kind in KINDS},
    },
    "expertsender": {
        "api_key": "sandbox-expertsender",
        "events": {kind: {"id": 101 + number} for number, kind in enumerate(KINDS)},
    },
    "engagelab": {"api_key": "sandbox-engagelab", "api_secret": "sandbox-engagelab-secret", "currency": "RON"},
}
VENDORS: Mapping[str, Callable[[], Vendor]] = {
    "footprints": lambda: Footprints(SeededIds(1)),
    "netcore": Netcore,
    "ray": lambda: Ray(SeededIds(1)),
    "expertsender": ExpertSender,
    "engagelab": EngageLab,
}
LEAD = {
    "userEmail": "Ann@example.com",
    "userFirstName": "Ann",
    "userSex": "female",
    "userBirthday": "1990-01-31",
    "userCountry": "Romania",
    "tags": ["newsletter"],
    "locationId": "86f838e2",
    "agreeTandc": True,
}


def day() -> list[Event]:
    """She looks around, becomes a lead, books, buys, and says how it was."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("init", {}),
        ("visit", {"brands": ["Zara"], "tenants": ["H&M"]}),
        ("register", {}),
        ("contact", {"appointmentDate": "2026-11-21 16:00:00", "senderType": "person"}),
        ("sale", {"receipts": [{"name": "Zara", "value": "250.5"}, {"name": "H&M", "value": "52"}]}),
        ("feedback", {"rating": "9"}),
        ("engagement", {"description": "asked for a size"}),
        ("profiling", {"percentCompleted": "80"}),
    ]
    return [_event(number, kind, more) for number, (kind, more) in enumerate(told, start=1)] + phone()


def phone() -> list[Event]:
    """Hers starts, hears a beacon, and says where it is."""
    beacon = {"uuid": "f7826da6-4fa2-4e98-8024-bc5b71e0893e", "major": "1", "minor": "7", "rssi": "-61"}
    told: list[tuple[str, dict[str, Any]]] = [
        ("init", {"email": "Ann@example.com", "technicalInfo": {"deviceOs": "iOS", "appId": "mall"}}),
        ("sensors", {"sensors": [beacon]}),
        ("geo", {"lat": "44.43", "lon": "26.1", "accuracy": "12"}),
    ]
    return [_at(number, f"mobile.{kind}", data, "71cd") for number, (kind, data) in enumerate(told, start=9)]


def _event(number: int, kind: str, more: Mapping[str, Any]) -> Event:
    data: dict[str, Any] = {"requestType": "action", "actionType": kind, "additionalData": more} if more else {}
    if kind == "register":
        data = {"lead": LEAD}
    return _at(number, f"web.{kind}", data, "70ab")


def _at(number: int, name: str, data: dict[str, Any], subject: str) -> Event:
    moment, event_id = rfc3339(MORNING + 60 * number), f"01a1f000-0000-7000-8000-{number:012}"
    return make_event(name, data, id=event_id, subject=subject, time=moment, receivedtime=moment)


def sent(kind: str) -> str:
    """Each call as `POST /path` and its body."""
    chosen = {"kind": kind, "base_url": f"http://127.0.0.1:8090/{kind}", **SETTINGS[kind]}
    raw = {"keys": {"shop": {"values": ["our-key"]}}, "destinations": {kind: chosen}}
    (destination,) = build_destinations(validate(ForwarderRoot, raw, "test"))
    now = MORNING + 720
    course = bring(destination, day(), sandboxed(VENDORS[kind](), f"/{kind}", now), MemoryFacts(), now)
    assert {outcome.kind for outcome in course.outcomes.values()} <= {"delivered", "filtered"}
    return "\n\n".join(
        f"{verb} {path.removeprefix(f'/{kind}')}\n{_shown(body)}"
        for (verb, path), body in zip(course.sent(), course.bodies(), strict=True)
    )


def _shown(body: Any, indent: str = " ") -> str:
    """Long lists and objects an entry a line, down to single events."""
    line = orjson.dumps(body).decode()
    if len(line) <= 118 or (isinstance(body, dict) and indent != " "):
        return line
    if isinstance(body, list):
        return "[" + f",\n{indent}".join(_shown(item, f"{indent} ") for item in body) + "]"
    return "{" + f",\n{indent}".join(f'"{name}":{_shown(value, f"{indent} ")}' for name, value in body.items()) + "}"


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_page_shows_a_visitors_day(kind: str) -> None:
    found = re.search(r"```http\n(.*?)\n```", (DOCS / f"{kind}.md").read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == sent(kind)
