"""Offsets against a model; order per visitor and the limits of batches under any sequence of what may happen."""

import asyncio
import random
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as chosen
from hypothesis import strategies as st

from forwarder.delivery.batching import LANE_EVENTS, Batcher, Lanes, Queue
from forwarder.destinations.base import BatchPolicy
from forwarder.keeping.offsets import Offsets
from forwarder.retry import LONGEST_OBEYED, SPREAD, RetryPolicy, retry_after
from forwarder.settings import ForwarderSettings
from forwarder.work import Unit, Work
from tests.forwarder.small import Batches, Chain, dated, make_event
from tests.forwarder.stand import Upstream, in_order, numbered, sometimes
from tests.forwarder.world import World

unhurried = chosen(deadline=None)  # the machine may be busy

DAY = 86_400.0
POLICY = BatchPolicy(events=5, bytes=1000, age=10.0)


@unhurried
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=20), st.randoms(use_true_random=False))
def test_offsets_never_pass_what_is_not_settled(takes: list[tuple[int, int]], dice: random.Random) -> None:
    """Model: the set of open offsets, and the end of what was taken."""
    offsets, waiting, end = Offsets(7), set[int](), 7
    for hole, count in takes:
        taken = range(end + hole, end + hole + count)
        end += hole + count
        offsets.take(taken, end)
        waiting |= set(taken)
        for offset in dice.sample(sorted(waiting), dice.randint(0, len(waiting))):
            offsets.settle(offset)
            waiting.discard(offset)
            assert offsets.committable == min(waiting, default=end)
        assert (offsets.committable, offsets.waiting) == (min(waiting, default=end), len(waiting))


def work(number: int, subject: int, size: int, now: float) -> Work:
    return Work(make_event(number, f"v{subject}"), 0, number, size, now)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 4), st.integers(1, 1500)),
        st.tuples(st.just("take"), st.just(0), st.integers(0, 20)),
        st.tuples(st.just("release"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("claim"), st.integers(0, 4), st.just(0)),
    ),
    max_size=120,
)


@pytest.mark.parametrize("kind", ["lanes", "batches"])
@unhurried
@given(STEPS)
def test_no_visitor_is_in_two_units_and_all_leave_in_order(kind: str, steps: list[tuple[str, int, int]]) -> None:
    queue: Queue = Lanes() if kind == "lanes" else Batcher(POLICY)
    flying: deque[frozenset[str]] = deque()
    left: list[Work] = []
    added, now = 0, 0.0
    for step, number, amount in steps:
        if step == "add":
            queue.add(work(added, number, amount, now))
            added += 1
        elif step == "take":
            now += amount
            unit = queue.take(now)
            subjects = frozenset(one.subject for one in unit)
            assert not subjects & frozenset().union(*flying)
            check_limits(kind, unit, now)
            left += unit
            flying.extend([subjects] if unit else [])
        elif step == "claim":
            busy = f"v{number}" in frozenset().union(*flying)
            assert queue.claim(f"v{number}") is not busy
            flying.extend([] if busy else [frozenset([f"v{number}"])])
        elif flying:
            flying.rotate(number)
            queue.release(flying.popleft())
    while flying:
        queue.release(flying.popleft())
    while unit := queue.take(now + 1e6):
        left += unit
        queue.release(frozenset(one.subject for one in unit))
    assert len(left) == added
    for subject in range(5):
        numbers = [one.offset for one in left if one.subject == f"v{subject}"]
        assert numbers == sorted(numbers)


class Plain:
    """Batches as POLICY says, looked for anew each time."""

    def __init__(self) -> None:
        self.waiting: list[Work] = []
        self.busy: set[str] = set()

    def free(self) -> list[Work]:
        return [one for one in self.waiting if one.subject not in self.busy]

    def take(self, now: float) -> list[Work]:
        free, unit = self.free(), list[Work]()
        if not free or (len(free) < POLICY.events and sum(one.size for one in free) < POLICY.bytes and self.due(now)):
            return []
        for one in free[: POLICY.events]:
            if unit and sum(two.size for two in (*unit, one)) > POLICY.bytes:
                break
            unit.append(one)
        self.waiting = [one for one in self.waiting if one not in unit]
        self.busy |= {one.subject for one in unit}
        return unit

    def due(self, now: float) -> float | None:
        return max(0.0, self.free()[0].taken + POLICY.age - now) if self.free() else None


@unhurried
@given(STEPS)
def test_a_batch_goes_when_it_is_full_or_old_whatever_was_asked_before(steps: list[tuple[str, int, int]]) -> None:
    queue, plain = Batcher(POLICY), Plain()
    flying: deque[frozenset[str]] = deque()
    now = 0.0
    for number, (step, which, amount) in enumerate(steps):
        if step == "add":
            added = work(number, which, amount, now)
            queue.add(added)
            plain.waiting.append(added)
        elif step == "take":
            now += amount
            unit = queue.take(now)
            assert unit == plain.take(now)
            flying.extend([frozenset(one.subject for one in unit)] if unit else [])
        elif step == "claim":
            if queue.claim(f"v{which}"):
                plain.busy.add(f"v{which}")
                flying.append(frozenset([f"v{which}"]))
        elif flying:
            flying.rotate(which)
            plain.busy -= flying[0]
            queue.release(flying.popleft())
        assert queue.due(now) == plain.due(now)


def check_limits(kind: str, unit: list[Work], now: float) -> None:
    if kind == "lanes":
        assert len({one.subject for one in unit}) <= 1
        assert len(unit) <= LANE_EVENTS
    elif unit:
        size = sum(one.size for one in unit)
        assert len(unit) <= POLICY.events
        assert size <= POLICY.bytes or len(unit) == 1


@unhurried
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.data())
def test_halving_loses_nothing_and_keeps_order_and_copies_together(ids: list[int], data: st.DataObject) -> None:
    works = [work(number, number % 3, 1, 0.0) for number in ids]
    unit = Unit.of(works)
    for _ in range(10):
        part = unit.current()
        chosen = data.draw(st.sampled_from(range(1, 2 ** min(len(part), 8))))
        unit.halve([one for bit, one in enumerate(part) if chosen >> bit & 1])
        assert sorted(map(id, unit.works())) == sorted(map(id, works))
        where = {one.event.id: number for number, part in enumerate(unit.parts) for one in part}
        assert all(where[one.event.id] == number for number, part in enumerate(unit.parts) for one in part)


@unhurried
@given(st.integers(1, 10_000), st.binary(min_size=4, max_size=4), st.one_of(st.none(), st.floats(0, 1e9)))
def test_a_retry_waits_within_its_ceiling_or_as_long_as_it_was_asked_to(
    attempt: int, entropy: bytes, after: float | None
) -> None:
    delay = RetryPolicy(0.5, 30.0).delay(attempt, entropy, after)
    asked = min(after or 0.0, LONGEST_OBEYED)
    assert asked <= delay <= (asked * (1 + SPREAD) if asked else min(30.0, 0.5 * 2.0 ** min(attempt, 40)))


@unhurried
@given(st.text(max_size=40))
def test_retry_after_never_raises(value: str) -> None:
    after = retry_after({"retry-after": value}, 1_800_000_000.0)
    assert after is None or after >= 0


@chosen(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    batched=st.booleans(),
    rate=st.floats(0, 0.8),
    kills=st.integers(0, 3),
    concurrency=st.integers(1, 8),
    late=st.sampled_from([0.0, 0.3, 0.9]),
)
def test_delivered_is_what_was_issued_in_each_visitors_order(
    *, seed: int, batched: bool, rate: float, kills: int, concurrency: int, late: float
) -> None:
    """Whatever fails, in whatever order calls return, however many are late, and however often it is killed in between."""
    asyncio.run(_deliver(seed, batched=batched, rate=rate, kills=kills, concurrency=concurrency, late=late))


async def _deliver(seed: int, *, batched: bool, rate: float, kills: int, concurrency: int, late: float) -> None:
    dice = random.Random(seed)
    upstream = Upstream(fault=sometimes(seed, rate), pauses=lambda: dice.randrange(4))
    destination = Batches() if batched else Chain()
    destination.batch = replace(destination.batch, late_after=DAY)
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), destination, upstream, settings=ForwarderSettings(batch_records=30))
        world.options = world.options.model_copy(update={"concurrency": concurrency})
        issued = [dated(event, 2 * DAY) if dice.random() < late else event for event in numbered(100, 5)]
        await world.append(*issued)
        for kill in range(1, kills + 1):
            world = await world.killed(after=dice.randrange(1, 60))
            again = len(upstream.ids()) - len(set(upstream.ids()))
            assert again <= kill * concurrency * world.destination.batch.events  # in flight
        await world.deliver(parked_too=True)
        most = kills * concurrency * world.destination.batch.events
    assert set(upstream.ids()) == {event.id for event in issued}
    assert upstream.overlaps == 0
    assert len(upstream.ids()) - len(issued) <= most
    if not kills:
        assert in_order(upstream.received)
    firsts = list({event_id: (event_id, subject) for event_id, subject in reversed(upstream.received)}.values())
    assert in_order(list(reversed(firsts)))
