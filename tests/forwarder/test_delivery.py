"""The whole engine over a log in memory: nothing lost, order kept, what is refused or parked is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.clock import rfc3339
from eventlog.event import Event
from eventlog.log import Record
from forwarder.destinations.base import Call, Facts, Plan
from forwarder.keeping.dead_letters import DESTINATION_HEADER, DeadLetter
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, make_event, request
from tests.forwarder.stand import TOPICS, Upstream, in_order, numbered, sometimes
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio


class Singles(Batches):
    """Plans a whole batch, and makes a call of each of its events."""

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        return Plan(tuple(Call("activity", request("activity", [event]), (event,)) for event in events))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [Chain, Batches, Singles])
async def test_random_troubles_lose_nothing_and_keep_each_visitors_order(
    tmp_path: Path, kind: type[Chain] | type[Batches], seed: int
) -> None:
    upstream = Upstream(fault=sometimes(seed), pauses=lambda: seed)
    world = World(tmp_path, kind(), upstream)
    issued = list(numbered(300, 12))
    await world.append(*issued)
    await world.deliver(parked_too=True)
    assert sorted(upstream.ids()) == sorted(event.id for event in issued)
    assert in_order(upstream.received)
    assert upstream.overlaps == 0
    assert await world.standing(TOPICS.dead_letters.name) == {}


async def test_a_fact_is_durable_before_the_call_that_depends_on_it(tmp_path: Path) -> None:
    seen: list[int] = []
    upstream = Upstream()
    world = World(tmp_path, Chain(), upstream)

    def count_facts(call: dict[str, object]) -> None:
        if call["purpose"] == "send":
            seen.append(len(world.log.topics.get(TOPICS.facts("chain").name, [[]])[0].records))  # type: ignore[attr-defined]

    upstream.fault = count_facts
    await world.append(make_event(1, "v1"))
    await world.deliver()
    assert seen == [1]
    facts = await world.standing(TOPICS.facts("chain").name)
    assert facts == {"v1": {"shop/v1/upstream": {"id": "v1"}}}
    assert "secret-token" not in str(await world.records(TOPICS.facts("chain").name))


async def test_facts_come_back_after_a_restart_and_on_another_host(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path / "one", Chain(), upstream)
    for number, directory in enumerate((tmp_path / "one", tmp_path / "one", tmp_path / "two")):
        world.directory = directory
        await world.append(make_event(number, "v1"))
        await world.deliver()
    assert [call["purpose"] for call in upstream.calls].count("init") == 1
    assert upstream.of("v1") == ["event-00000", "event-00001", "event-00002"]


async def test_the_refused_are_dead_letters_with_the_call_and_without_secrets(tmp_path: Path) -> None:
    def refuse(call: dict[str, Any]) -> Reply | None:
        bad = any(event["id"] == "event-00001" for event in call["events"]) and call["purpose"] == "send"
        return Reply(400, {"set-cookie": "a=b"}, b"no secret-token-1 here") if bad else None

    upstream = Upstream(fault=refuse)
    world = World(tmp_path, Chain(), upstream)
    await world.append(*(make_event(number, "v1") for number in range(3)))
    await world.deliver()
    assert upstream.of("v1") == ["event-00000", "event-00002"]
    (key, body), *others = (await world.standing(TOPICS.dead_letters.name)).items()
    assert (key, others) == ("event-00001:chain", [])
    letter = DeadLetter.from_bytes(orjson.dumps(body))
    assert (letter.reason, letter.attempts, letter.offset) == ("refused", 1, 1)
    assert letter.event is not None
    assert letter.event["id"] == "event-00001"
    assert letter.reply == {"status": 400, "headers": {"set-cookie": "***"}, "body": "no *** here"}
    assert letter.request is not None
    assert letter.request["headers"] == {"authorization": "***"}
    assert "secret-token" not in str(body)


async def test_a_dead_letter_is_in_the_log_before_its_offset_is_committed(tmp_path: Path) -> None:
    upstream = Upstream(fault=lambda call: Reply(400) if call["purpose"] == "activity" else None)
    world = World(tmp_path, Batches(), upstream, settings=ForwarderSettings(same_refusals=100))
    await world.append(*numbered(10, 3))
    await world.deliver()
    assert len(await world.standing(TOPICS.dead_letters.name)) == 10


async def test_poison_in_a_batch_is_found_by_halving(tmp_path: Path) -> None:
    def refuse(call: dict[str, list[dict[str, str]]]) -> Reply | None:
        return Reply(400) if any(event["id"] == "event-00013" for event in call["events"]) else None

    upstream = Upstream(fault=refuse)
    world = World(tmp_path, Batches(), upstream)
    await world.append(*numbered(20, 7))
    await world.deliver()
    assert len(set(upstream.ids())) == 19
    assert in_order(upstream.received)
    assert list(await world.standing(TOPICS.dead_letters.name)) == ["event-00013:batches"]
    assert len(upstream.calls) <= 1 + 2 * 5


async def test_a_record_that_is_no_event_is_a_dead_letter(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path, Chain(), upstream)
    await world.append_records(Record(TOPICS.events.name, b"v1", b"\xff not json", 0.0))
    await world.append(make_event(1, "v1"))
    await world.deliver()
    assert upstream.of("v1") == ["event-00001"]
    (letter,) = (await world.standing(TOPICS.dead_letters.name)).values()
    assert (letter["id"], letter["reason"], letter["raw"]) == ("0-0", "unreadable_record", "/yBub3QganNvbg==")


async def test_a_replayed_dead_letter_goes_to_its_destination_alone(tmp_path: Path) -> None:
    letter = DeadLetter(
        id="event-00001", destination="chain", reason="refused", at=rfc3339(0), event=make_event(1, "v1").to_dict()
    )
    record = letter.replay(TOPICS.events.name, 1.0)
    assert (DESTINATION_HEADER, b"chain") in record.headers
    for destination, expected in ((Chain(), ["event-00001"]), (Batches(), [])):
        upstream = Upstream()
        world = World(tmp_path / destination.name, destination, upstream)
        await world.append_records(record)
        await world.deliver()
        assert upstream.ids() == expected


async def test_copies_of_one_event_in_a_batch_go_out_once(tmp_path: Path) -> None:
    upstream = Upstream()
    world = World(tmp_path, Batches(), upstream)
    await world.append(make_event(1, "v1"), make_event(1, "v1"), make_event(2, "v1"))
    await world.deliver()
    assert upstream.ids() == ["event-00001", "event-00002"]


async def test_filtered_events_are_receipted_with_their_rule(tmp_path: Path) -> None:
    world = World(tmp_path, Batches(), Upstream())
    await world.append(make_event(1, "v1"), make_event(2, "v1", "sensors"), make_event(3, "v2"))
    await world.deliver()
    receipts = [orjson.loads(record.value or b"") for record in await world.records(TOPICS.receipts.name)]
    assert sum(receipt["delivered"] for receipt in receipts) == 2
    assert [exception for receipt in receipts for exception in receipt["exceptions"]] == [
        {"offset": 1, "id": "event-00002", "outcome": "filtered", "reason": "high_volume"}
    ]
    assert [receipts[0]["first_offset"], receipts[-1]["next_offset"]] == [0, 3]
    status = orjson.loads((tmp_path / "forwarder" / "batches.status.json").read_bytes())
    assert (status["delivered"], status["filtered"], status["state"]) == (2, {"high_volume": 1}, "running")
