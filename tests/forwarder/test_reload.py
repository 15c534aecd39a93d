"""Secrets, keys and mappings of a running forwarder: changed in the file, and in force without a restart."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from base.reasons import Parked
from base.settings import load
from eventlog.event import Event
from forwarder.destinations.base import Call, Facts, Plan, parked
from forwarder.destinations.build import build_destinations
from forwarder.reload import DestinationReload
from forwarder.renewal import Renewable, take_up
from forwarder.settings import ForwarderRoot
from forwarder.transport import Reply
from tests.collector.test_reload import Diary
from tests.forwarder.small import Batches, make_event, request
from tests.forwarder.stand import Upstream
from tests.forwarder.test_troubles import until
from tests.forwarder.world import HeldClock, World

NETCORE = """
[destinations.netcore]
kind = "netcore"
region = "eu"
api_key = "{key}"
web_asset_id = "web"
{more}
[keys.shop]
values = ["{app}"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ochn.toml"
    path.write_text(settings())
    return path


def settings(key: str = "first", more: str = "", app: str = "one") -> str:
    return NETCORE.format(key=key, more=more, app=app)


@dataclass
class Reloaded:
    path: Path
    diary: Diary = field(default_factory=Diary)

    def __post_init__(self) -> None:
        environ = {"OCHN_CONFIG": str(self.path)}
        first = load(ForwarderRoot, environ)
        self.running = [Renewable(one) for one in build_destinations(first)]
        self.reload = DestinationReload(first, self.running, environ, self.diary.logger)

    def after(self, text: str) -> list[str]:
        """What was told of the change."""
        told = len(self.diary.events())
        self.path.write_text(text)
        self.reload.look()
        return self.diary.events()[told:]

    def key_in_use(self) -> str:
        (only,) = self.running
        return only.plan([make_event(1, "v1")], NoFacts(), 1_800_000_000.0).calls[0].request.headers["Authorization"]


class NoFacts:
    def get(self, key: str) -> None:
        return None


def test_a_secret_that_was_replaced_goes_out_with_the_next_call(path: Path) -> None:
    reloaded = Reloaded(path)
    assert reloaded.key_in_use() == "Bearer first"
    assert reloaded.after(settings("second")) == ["destinations.reloaded"]
    assert reloaded.key_in_use() == "Bearer second"
    assert reloaded.running[0].renewal.secrets == {"second"}


def test_nothing_is_told_when_nothing_changed(path: Path) -> None:
    assert Reloaded(path).after(settings() + "\n") == []


def test_a_key_that_was_added_renews_who_sends_keys(path: Path) -> None:
    reloaded = Reloaded(path)
    assert reloaded.after(settings(app="two")) == ["destinations.reloaded"]
    assert reloaded.running[0].renewal.happened.is_set()


@pytest.mark.parametrize("broken", ["[destinations", settings().replace('"eu"', '"moon"')])
def test_a_broken_file_changes_nothing(path: Path, broken: str) -> None:
    reloaded = Reloaded(path)
    assert reloaded.after(broken) == ["destinations.not_reloaded"]
    assert reloaded.key_in_use() == "Bearer first"


@pytest.mark.parametrize("more", ["concurrency = 3", "enabled = false", 'start = "now"'])
def test_what_only_a_start_takes_is_told_to_need_one(path: Path, more: str) -> None:
    assert "destinations.need_restart" in Reloaded(path).after(settings(more=more))


def test_a_destination_that_came_or_went_needs_a_restart(path: Path) -> None:
    reloaded = Reloaded(path)
    second = settings().replace("destinations.netcore", "destinations.other").split("[keys")[0]
    assert reloaded.after(settings() + second) == ["destinations.need_restart"]
    assert reloaded.after("") == ["destinations.need_restart"]
    assert reloaded.key_in_use() == "Bearer first"


def test_a_secret_in_a_file_of_its_own_is_looked_at_too(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one\n")
    environ = {"OCHN_CONFIG": str(path), "OCHN_DESTINATIONS__NETCORE__API_KEY_FILE": str(secret)}
    first = load(ForwarderRoot, environ)
    running = [Renewable(one) for one in build_destinations(first)]
    reload = DestinationReload(first, running, environ, Diary().logger)
    secret.write_text("two\n")
    reload.look()
    assert running[0].renewal.secrets == {"two"}


@dataclass
class Keyed(Batches):
    """Its calls carry a secret."""

    secret: str = "old"

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return Plan((Call("activity", request("activity", events, self.secret), tuple(events)),))


class Guarded(Upstream):
    def _answer(self, call: dict[str, Any], authorization: str) -> Reply:
        return super()._answer(call, authorization) if authorization == "Bearer new" else Reply(401)


@pytest.mark.anyio
async def test_a_pause_for_credentials_ends_at_once_when_they_are_replaced(tmp_path: Path) -> None:
    """A probe is due every half minute; the clock stands, so none of them comes."""
    upstream, destination, clock = Guarded(), Renewable(Keyed()), HeldClock()
    world = World(tmp_path, destination, upstream, clock=clock)
    await world.append(make_event(1, "v1"))
    async with world.running() as delivery:
        taking_up = asyncio.create_task(take_up(destination.renewal, delivery.relay.engine))
        await until(lambda: delivery.watch.engine.queue.due(clock.monotonic()) is not None)
        clock.advance(1.0)
        await until(lambda: delivery.watch.breaker.state == "paused")
        destination.renew(Keyed(secret="new"), ["new"])
        await until(lambda: upstream.ids() == ["event-00001"])
        assert delivery.watch.breaker.state == "running"
        taking_up.cancel()


class Unknowing(Batches):
    """Knows no key, so whatever comes is parked."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return Plan((), {event.id: parked(Parked.KEEPS_FAILING) for event in events})


@pytest.mark.anyio
async def test_what_was_parked_for_want_of_a_key_goes_out_when_it_is_there(tmp_path: Path) -> None:
    upstream, destination, clock = Upstream(), Renewable(Unknowing()), HeldClock()
    world = World(tmp_path, destination, upstream, clock=clock)
    await world.append(make_event(1, "v1"), make_event(2, "v1"))
    async with world.running() as delivery:
        taking_up = asyncio.create_task(take_up(destination.renewal, delivery.relay.engine))
        await until(lambda: delivery.watch.engine.queue.due(clock.monotonic()) is not None)
        clock.advance(1.0)
        await until(lambda: delivery.watch.parking.count() == 2)
        await until(lambda: delivery.watch.engine.in_flight == 0)
        destination.renew(Batches(), [])
        while len(upstream.received) < 2:
            clock.advance(0.01)
            await asyncio.sleep(0.002)
        assert clock.monotonic() < world.settings.park_after / 2  # when they would have been tried anyway
        assert upstream.ids() == ["event-00001", "event-00002"]
        taking_up.cancel()
