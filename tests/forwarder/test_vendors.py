"""Each vendor's chain through the whole engine, against the sandboxed vendor: every event arrives, in order."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from base.ids import SeededIds
from base.settings import validate
from eventlog.event import Event
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from forwarder.sandbox.engagelab import EngageLab
from forwarder.sandbox.expertsender import ExpertSender
from forwarder.sandbox.ray import Ray
from forwarder.sandbox.vendor import Vendor
from forwarder.settings import ForwarderRoot
from forwarder.transport import MemoryTransport, Reply, Request
from tests.forwarder.stand import TOPICS
from tests.forwarder.world import World
from tests.support.destinations import body_of, sandboxed
from tests.support.events import NOW, make_event, send

pytestmark = pytest.mark.anyio

VISITORS, EVENTS = 40, 6
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ray": {
        "client_id": "sandbox-ray",
        "client_secret": "sandbox-ray-secret",
        "username": "sandbox-user",
        "password": "sandbox-password",
        "store_id": "sandbox-store",
        "batch_events": 10,
        "events": {"feedback": {"type": "A", "sub_type": "B"}},
    },
    "expertsender": {"api_key": "sandbox-expertsender", "events": {"feedback": {"id": 101}}},
    "engagelab": {"api_key": "sandbox-engagelab", "api_secret": "sandbox-engagelab-secret", "batch_events": 10},
}
VENDORS: Mapping[str, Callable[[], Vendor]] = {
    "ray": lambda: Ray(SeededIds(1)),
    "expertsender": ExpertSender,
    "engagelab": EngageLab,
}


def destination(kind: str, **more: Any) -> Destination:
    chosen = {"kind": kind, "base_url": f"http://127.0.0.1:1/{kind}", **SETTINGS[kind], **more}
    (built,) = build_destinations(validate(ForwarderRoot, {"destinations": {kind: chosen}}, "test"))
    return built


def day() -> Iterator[Event]:
    """Everybody says who they are, then what they think, all at once."""
    for number in range(VISITORS):
        yield make_event("web.init", {"email": f"v{number}@x.example"}, subject=f"v{number}")
    for rating in range(1, EVENTS + 1):
        for number in range(VISITORS):
            yield send("feedback", {"rating": rating}, subject=f"v{number}")


def ratings(requests: list[Request]) -> Iterator[tuple[str, float]]:
    """Whose, and which."""
    for request in requests:
        told = body_of(request)
        if request.url.endswith("/interaction"):
            yield from ((one["user"]["email"], one["customProps"]["rating"]) for one in told)
        elif request.url.endswith("/report"):
            yield from ((str(one["euid"]), one["properties"]["rating"]) for one in told["data"])
        elif request.url.endswith("/scenariocustomevents"):
            yield told["customerEmail"], float(told["dataFields"][0]["value"])


@pytest.mark.parametrize("kind", SETTINGS)
async def test_everything_arrives_in_each_visitors_order(tmp_path: Path, kind: str) -> None:
    upstream = MemoryTransport(_replying(kind))
    world = World(tmp_path, destination(kind), upstream)
    await world.append(*day())
    await world.deliver()
    arrived: dict[str, list[float]] = {}
    for whose, rating in ratings(upstream.requests):
        arrived.setdefault(whose, []).append(rating)
    assert len(arrived) == VISITORS
    assert all(found == list(range(1, EVENTS + 1)) for found in arrived.values())
    assert await world.standing(TOPICS.dead_letters.name) == {}


def _replying(kind: str) -> Callable[[Request], Reply]:
    answer = sandboxed(VENDORS[kind](), f"/{kind}", NOW)

    def reply(request: Request) -> Reply:
        found = answer(request)
        assert isinstance(found, Reply)
        return found

    return reply


async def test_one_token_for_all_and_another_when_it_is_refused(tmp_path: Path) -> None:
    vendor = _replying("ray")
    forgotten: set[str] = set()
    taken: list[Request] = []

    def reply(request: Request) -> Reply:
        """After five calls the first token is none any more, as when somebody logs in elsewhere."""
        bearer = request.headers["Authorization"]
        if len(taken) == 5 and not forgotten:
            forgotten.add(bearer)
        if bearer in forgotten:
            return Reply(200, {}, b'{"message":"expired","result":"error","statusCode":401}')
        taken.append(request)
        return vendor(request)

    upstream = MemoryTransport(reply)
    world = World(tmp_path, destination("ray", batch_events=1), upstream)
    await world.append(*day())
    await world.deliver()
    assert [request.url for request in upstream.requests].count("http://127.0.0.1:1/ray/oauth/token") == 2
    assert len(taken) < len(upstream.requests)
    assert len(set(ratings(taken))) == VISITORS * EVENTS
    assert await world.standing(TOPICS.dead_letters.name) == {}
