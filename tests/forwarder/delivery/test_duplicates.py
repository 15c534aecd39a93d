"""What came twice is delivered once, whoever restarts in between; what is replayed is delivered again."""

from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.reasons import Filter
from eventlog.event import Event
from eventlog.memory import MemoryLog
from forwarder.delivery.duplicates import Duplicates
from forwarder.settings import ForwarderSettings
from forwarder.work import Work
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio


def sent(number: int, eid: str | None = None, subject: str = "v1", **more: object) -> Event:
    return make_event(number, subject)._replace(clienteventid=eid, **more)


async def filtered_in(world: World) -> list[str]:
    """Ids that receipts tell were dropped, each as often as they do."""
    receipts = [orjson.loads(record.value or b"") for record in await world.records(TOPICS.receipts.name)]
    told = [one for receipt in receipts for one in receipt["exceptions"]]
    assert {one["reason"] for one in told} <= {Filter.DUPLICATE}
    return [one["id"] for one in told]


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_a_resend_reaches_the_destination_once_and_is_told_of(
    tmp_path: Path, kind: type[Chain] | type[Batches]
) -> None:
    world = World(tmp_path, kind(), upstream := Upstream())
    await world.append(sent(1, "a"), sent(2, "b"), sent(3, "a"), sent(4), sent(4), sent(5, "b"))
    await world.deliver()
    assert upstream.ids() == ["event-00001", "event-00002", "event-00004"]
    assert await filtered_in(world) == ["event-00003", "event-00004", "event-00005"]


async def test_an_id_is_its_senders_own(tmp_path: Path) -> None:
    """Another visitor, or another app, may give the same one; and who gives none is never taken for a copy."""
    world = World(tmp_path, Batches(), upstream := Upstream())
    await world.append(
        sent(1, "a"), sent(2, "a", "v2"), sent(3, "a", appkeyname="other"), sent(4), sent(5), sent(6, "event-00004")
    )
    await world.deliver()
    assert len(upstream.ids()) == 6


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, Chain(), upstream := Upstream())
    await world.append(sent(1, "a"), sent(2))
    await world.deliver()
    await world.append(sent(3, "a"), sent(2), sent(4))
    await world.deliver()
    assert upstream.ids() == ["event-00001", "event-00002", "event-00004"]


async def test_what_is_read_again_after_a_crash_is_no_copy_of_itself(tmp_path: Path) -> None:
    world = World(tmp_path, Chain(), upstream := Upstream())
    await world.append(*(sent(number, f"e{number}", f"v{number}") for number in range(40)))
    await world.killed(after=15)
    await world.deliver()
    assert set(upstream.ids()) == {f"event-{number:05}" for number in range(40)}


async def test_a_rebalance_forgets_nothing_and_takes_nothing_for_a_copy_of_itself(tmp_path: Path) -> None:
    log = MemoryLog()
    world = World(tmp_path, Batches(), upstream := Upstream(), log)
    async with world.running():
        for number in range(20):
            await world.append(sent(2 * number, f"e{number}"), sent(2 * number + 1, f"e{number}"))
            log.evict(TOPICS.group("batches"), TOPICS.events.name)
        await world.until_committed()
    assert set(upstream.ids()) == {f"event-{2 * number:05}" for number in range(20)}


async def test_what_is_replayed_is_delivered_again(tmp_path: Path) -> None:
    world = World(tmp_path, Batches(), upstream := Upstream())
    await world.append(sent(1, "a"), sent(1, "a", replayed=True), sent(1, "a", replayed=True), sent(2, "a"))
    await world.deliver()
    assert set(upstream.ids()) == {"event-00001"}
    assert await filtered_in(world) == ["event-00002"]


async def test_without_a_window_nothing_is_looked_for(tmp_path: Path) -> None:
    world = World(tmp_path, Chain(), upstream := Upstream(), settings=ForwarderSettings(duplicate_window=0))
    await world.append(sent(1, "a"), sent(2, "a"))
    await world.deliver()
    assert upstream.ids() == ["event-00001", "event-00002"]


async def test_what_is_read_again_is_where_it_was_first_seen() -> None:
    """As after a rebalance that gives the partition back, with some of it not committed."""
    duplicates = Duplicates(topic=TOPICS.events.name, scanner=await MemoryLog().open_scanner(), window=100)
    works = [
        Work(sent(number, "a" if number == 3 else f"e{number % 3}"), 0, number, 1, 0.0) for number in range(5)
    ]  # 4 is a copy of 1
    for start in (0, 2, 1):
        await duplicates.restore(0, start)
        assert {work.offset for work in duplicates.among(0, works[start:], 5)} == {4}


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 8), st.lists(st.integers(0, 60), max_size=6))
async def test_the_window_moves_with_the_partition(ids: list[int], window: int, restarts: list[int]) -> None:
    """A copy within the window is always found, one of nothing never, wherever reading begins anew."""
    log = MemoryLog()
    for number, eid in enumerate(ids):
        log.store(sent(number, f"e{eid}").to_record(TOPICS.events.name, 1.0))
    copies: set[int] = set()
    places = sorted({0, len(ids), *(place for place in restarts if place < len(ids))})
    for start, end in pairwise(places):
        scanner = await log.open_scanner()
        duplicates = Duplicates(topic=TOPICS.events.name, scanner=scanner, window=window)
        await duplicates.restore(0, start)
        works = [Work(sent(number, f"e{ids[number]}"), 0, number, 1, 0.0) for number in range(start, end)]
        copies |= {work.offset for work in duplicates.among(0, works, end)}
    for number, eid in enumerate(ids):
        fresh = [earlier for earlier in range(number) if ids[earlier] == eid and earlier not in copies]
        assert number not in copies or ids.index(eid) < number
        if fresh and number - fresh[-1] < window:
            assert number in copies
