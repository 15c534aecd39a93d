"""What this host has settled beyond the committed offsets it never sends again, and it never takes for settled what is not."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.logs import quiet_logger
from base.reasons import Dead, Parked
from eventlog.memory import MemoryLog
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.delivery.batching import unit_events
from forwarder.delivery.status import Status
from forwarder.destinations.base import dead, delivered, parked
from forwarder.destinations.settings import DestinationSettings
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.receipts import Told
from forwarder.work import Work
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream, in_order, numbered
from tests.forwarder.test_troubles import until
from tests.forwarder.world import World

COUNT, VISITORS, OF_ONE = 600, 60, 16  # of one visitor at most
KILLS, LOSSES, ROUNDS = 2, 4, 30  # of the forwarder; of its partitions; of both
SIDE_BY_SIDE = DestinationSettings(concurrency=4)
OUTCOMES = (delivered(), delivered(late=True), dead(Dead.REFUSED), parked(Parked.KEEPS_FAILING))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("settle"), st.integers(0, 1), st.sampled_from([0, 0, 1, 2, 5, 30])),
        st.tuples(st.just("commit"), st.integers(0, 1), st.integers(0, 8)),
        st.tuples(st.just("put back"), st.integers(0, 1), st.integers(1, 8)),
        st.tuples(st.just("start"), st.integers(0, 1), st.sampled_from([0, 0, 0, 1])),
    ),
    max_size=40,
)


def work(partition: int, offset: int, event: int | None = None) -> Work:
    return Work(make_event(offset if event is None else event, "v"), partition, offset, 1, 0.0)


def opened(path: Path, committed: dict[int, int]) -> Ahead:
    ahead = Ahead(path, quiet_logger())
    for partition, offset in committed.items():
        ahead.committed(partition, offset)
    return ahead


@settings(deadline=None, max_examples=250)
@given(STEPS, st.randoms(use_true_random=False))
def test_it_knows_what_was_settled_since_the_commit_and_nothing_else(
    steps: list[tuple[str, int, int]], dice: random.Random
) -> None:
    """Model: what was settled, by partition and offset. A start is one after a kill; with a torn file, after a power loss:
    then some of it at most is known. A group is put back while nobody runs."""
    with tempfile.TemporaryDirectory() as directory:
        path, committed = Path(directory, "x.ahead"), {0: 10, 1: 10}
        settled: dict[tuple[int, int], Told] = {}
        ahead, whole = opened(path, committed), True
        for step, partition, number in steps:
            if step == "settle":
                places = dice.sample([(part, committed[part] + number + more) for part in (0, 1) for more in (0, 1)], 3)
                works, outcome = [work(*place) for place in places if place not in settled], dice.choice(OUTCOMES)
                settled |= {(one.partition, one.offset): (one.event.id, outcome, number) for one in works}
                ahead.add(works, outcome, number)
                ahead.write()
            elif step == "commit":
                committed[partition] += number
                ahead.committed(partition, committed[partition])
            else:
                ahead.close()
                if step == "put back":
                    committed[partition] -= number
                    settled = {place: told for place, told in settled.items() if place[0] != partition}
                elif number:
                    whole = False
                    damage(path, dice)
                ahead = opened(path, committed)
            for offset in range(60):
                told = ahead.told(work(partition, offset))
                expected = settled.get((partition, offset)) if offset >= committed[partition] else None
                assert told == expected or (told is None and not whole)
                assert ahead.told(work(partition, offset, 99)) is None
        ahead.close()


def damage(path: Path, dice: random.Random) -> None:
    body = path.read_bytes()
    cut = dice.randrange(len(body) + 1)
    path.write_bytes(body[:cut] + bytes(dice.randrange(20)))


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"[0,1]", b'[0,"gone","",false,200,[[1,"a"]]]']))))
def test_garbage_is_passed_over(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.ahead")
        path.write_bytes(b"\n".join(lines))
        ahead = opened(path, {0: 0})
        assert all(ahead.told(work(0, offset)) is None for offset in range(5))
        ahead.close()


def test_a_file_that_grows_is_made_anew_of_what_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "x.ahead"
    ahead = opened(path, {0: 0})
    largest = 0
    for offset in range(100_000):
        ahead.add([work(0, offset, 1)], delivered(), 200)
        ahead.write()
        if offset % 1000 == 999:
            ahead.committed(0, offset - 500)
            largest = max(largest, path.stat().st_size)
    ahead.close()
    assert largest < 5_000_000
    assert opened(path, {0: 99_499}).told(work(0, 99_600, 1)) == ("event-00001", delivered(), 200)


def test_what_was_written_until_its_first_partition_came_is_known(tmp_path: Path) -> None:
    """As when a new process takes over from one that drains."""
    older, newer = opened(tmp_path / "x.ahead", {0: 0}), Ahead(tmp_path / "x.ahead", quiet_logger())
    older.add([work(0, 3)], delivered(), 200)
    older.write()
    older.close()
    newer.committed(0, 1)
    newer.close()
    assert newer.told(work(0, 3)) is not None


def test_where_it_cant_be_written_this_process_knows_it_all_the_same(tmp_path: Path) -> None:
    ahead = opened(tmp_path / "nowhere" / "x.ahead", {0: 0})
    ahead.add([work(0, 3)], delivered(), 200)
    ahead.write()
    ahead.committed(0, 1)
    assert ahead.told(work(0, 3)) is not None
    (tmp_path / "nowhere").mkdir()
    ahead.committed(0, 2)
    ahead.close()
    assert opened(tmp_path / "nowhere" / "x.ahead", {0: 2}).told(work(0, 3)) is not None


class Forgetful(Ahead):
    def told(self, work: Work) -> Told | None:
        return None


def build_forgetful(target: Target, status: Status, around: Surroundings) -> Delivery:
    delivery = build_delivery(target, status, around)
    delivery.relay.ledger._ahead.__class__ = Forgetful
    return delivery


def a_chain() -> Chain:
    return Chain()


def small_batches() -> Batches:
    return Batches(batch=replace(Batches().batch, events=5))


def under_way(destination: Chain | Batches) -> int:
    """The most events that may go out again. A kill finds calls whose answer nobody has noted: side by side, one of them
    with all that a visitor has parked, where it takes many. And a kill or a lost partition finds one unit that is being
    set aside: it stands among the parked, its offset is not told of, and so it is read again too."""
    alone, unit = destination.batch.events == 1, unit_events(destination.batch)
    calls = (SIDE_BY_SIDE.concurrency - 1) * destination.batch.events + (1 if alone else OF_ONE)
    return KILLS * (calls + unit) + LOSSES * unit


async def taken_and_killed(
    directory: Path,
    destination: Chain | Batches,
    build: Callable[[Target, Status, Surroundings], Delivery] = build_delivery,
    seed: int = 1,
) -> Upstream:
    """Partitions are lost again and again with calls in flight, and the forwarder is killed in between."""
    dice, events = random.Random(seed), list(numbered(COUNT, VISITORS))
    assert max(Counter(event.subject for event in events).values()) <= OF_ONE
    log, upstream = MemoryLog(partitions=2), Upstream(pauses=lambda: dice.randrange(30))
    world = World(directory, destination, upstream, log, options=SIDE_BY_SIDE, build=build)
    await world.append(*events)
    for count in (100, 250):
        async with world.running(drain=0.0):
            for more in (0, 50):
                await until(lambda: len(set(upstream.ids())) >= count + more)  # noqa: B023 - asked at once
                log.evict(TOPICS.group(world.destination.name), TOPICS.events.name)
            await until(lambda: len(set(upstream.ids())) >= count + 100)  # noqa: B023
    await world.deliver(parked_too=True)
    assert len(set(upstream.ids())) == COUNT
    return upstream


def first_times(received: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each visitor's order is that of these: a call that goes out again takes all that a visitor has in it once more, and
    what was being set aside when a kill came goes out again from there, the first of it after the last."""
    return list(dict.fromkeys(received))


@pytest.mark.anyio
@pytest.mark.parametrize("make", [a_chain, small_batches])
async def test_a_lost_partition_and_a_kill_send_again_what_was_under_way_at_most(
    tmp_path: Path, make: Callable[[], Chain | Batches]
) -> None:
    destination = make()
    upstream = await taken_and_killed(tmp_path, destination)
    assert len(upstream.ids()) - COUNT <= under_way(destination)
    assert in_order(first_times(upstream.received))


@pytest.mark.anyio
async def test_without_it_they_would_send_more(tmp_path: Path) -> None:
    """The negative control. How much was settled beyond the commit when a partition went is chance: until it was much."""
    for number in range(ROUNDS):
        upstream = await taken_and_killed(tmp_path / str(number), a_chain(), build_forgetful, number)
        if len(upstream.ids()) - COUNT > under_way(a_chain()):
            return
    raise AssertionError(f"in none of {ROUNDS} rounds")


@pytest.mark.anyio
async def test_what_is_parked_for_an_assignment_that_is_over_takes_nothing_from_the_next(tmp_path: Path) -> None:
    """An event that was read again, while the one of before still waits in the queue or on its way to being parked."""
    world = World(tmp_path, Chain(), Upstream())
    async with world.running() as delivery:
        ledger, settlement = delivery.relay.ledger, delivery.relay.engine.settlement
        older, newer = work(7, 3), work(7, 3)
        ledger.assign(7, 3)
        ledger.take(7, [], [older], 4)
        parking = asyncio.create_task(settlement.set_aside([older]))
        await asyncio.sleep(0)
        ledger.revoke(7)
        ledger.assign(7, 3)
        ledger.take(7, [], [newer], 4)
        await asyncio.gather(parking, settlement.set_aside([older, newer]))
        assert ledger.ends()[7] == 4
        assert list(await world.standing(TOPICS.parked.name)) == [f"{newer.event.id}:chain"]
