"""How every destination is: while it runs, while it stands still, and while nobody runs at all."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from forwarder.transport import Reply
from tests.forwarder.stand import TOPICS
from tests.ochn.stand import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def row(stand: Stand) -> dict[str, Any]:
    (found,) = map(orjson.loads, stand.ask("destinations", "--json").splitlines())
    assert isinstance(found, dict)
    return found


def test_before_any_forwarder_ran(stand: Stand) -> None:
    stand.do(lambda: stand.world.append(stand.event("v1"), stand.event("v2")))
    found = row(stand)
    assert (found["state"], found["lag"], found["oldest"]) == ("never ran", 2, stand.first)
    assert "start it: ochn forwarder" in stand.ask("destinations")


def test_what_it_has_done(stand: Stand) -> None:
    stand.bring(stand.event("v1"), stand.event("v1", "sensors"), stand.event("m1"))
    found = row(stand)
    assert (found["state"], found["lag"], found["oldest"], found["last_failure"]) == ("running", 0, None, None)
    assert (found["delivered"], found["filtered"], found["parked"]) == (1, {"high_volume": 1}, 1)
    assert found["last_success"]
    assert "way_out" not in found
    assert "filtered high_volume 1" in stand.ask("destinations")


def test_who_has_stopped_is_not_said_to_have_since_it_began(stand: Stand, tmp_path: Path) -> None:
    stand.bring(stand.event("v1"))
    (said,) = tmp_path.rglob("*.status.json")
    said.write_bytes(orjson.dumps(orjson.loads(said.read_bytes()) | {"pid": 0x7FFFFFFF}))
    found = row(stand)
    assert (found["state"], found["since"], found["delivered"]) == ("stopped", None, 1)
    assert "fp: stopped, no forwarder runs here\n  start it: ochn forwarder\n" in stand.ask("destinations")


def test_who_holds_nothing_says_so_and_what_waits(stand: Stand) -> None:
    async def behind_another() -> None:
        await stand.world.append(stand.event("v1"), stand.event("v2"))
        other = await stand.world.log.open_reader(TOPICS.group("fp"), TOPICS.events.name, "earliest")
        await other.next(0, 5.0)
        async with stand.world.running() as delivery:
            watching = asyncio.create_task(delivery.watch.run())
            while not (shown := next(iter(delivery.watch.metrics.lag.collect())).samples) or shown[0].value != 2:
                await asyncio.sleep(0.01)
            watching.cancel()
        await other.close(1)

    stand.do(behind_another)
    found = row(stand)
    assert (found["state"], found["lag"], found["last_failure"]) == ("unassigned", 2, None)
    assert "another forwarder has all of it" in stand.ask("destinations")


def test_paused_says_why_and_the_way_out(stand: Stand) -> None:
    stand.upstream.fault = lambda _call: Reply(401)

    async def until_paused() -> None:
        await stand.world.append(stand.event("v1"))
        async with stand.world.running() as delivery:
            while delivery.watch.breaker.state != "paused":
                await stand.clock_moves()

    stand.do(until_paused)
    found = row(stand)
    assert (found["state"], found["reason"], found["lag"]) == ("paused", "credentials", 1)
    assert found["last_failure"]
    told = stand.ask("destinations")
    assert "credentials: 401" in told
    assert "mend its secret in the settings" in told


def test_a_clock_that_was_set_is_told_beneath(stand: Stand) -> None:
    stand.bring(stand.event("v1"))
    assert "clock" not in stand.ask("status")
    clock = stand.world.directory / "forwarder" / "clock.json"
    clock.write_bytes(orjson.dumps({"at": "2026-11-22T01:14:24.345Z", "seconds": -7200.0}))
    assert "the wall clock was put back by 2 h at 2026-11-22T01:14:24.345Z" in stand.ask("status")
    assert orjson.loads(stand.ask("status", "--json"))["clock_jump"]["seconds"] == -7200.0
