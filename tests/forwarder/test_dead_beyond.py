"""What was refused beyond the committed offset another host neither sends nor refuses once more: else who has sent the
dead letter again in between makes the vendor get that event twice."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from base.clock import SystemClock
from eventlog.memory import MemoryLog
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.delivery.batching import LANE_EVENTS
from forwarder.delivery.status import Status
from forwarder.keeping.dead_letters import DeadLetter
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.receipts import Receipt
from forwarder.transport import Reply
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import TOPICS, Hanging, in_order
from tests.forwarder.test_troubles import until
from tests.forwarder.test_two_hosts import Build, Gone, all_is_told
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio

COUNT, CONCURRENCY = 60, 8  # all of them in one window
LATER = 2 * CONCURRENCY * LANE_EVENTS  # come before what is sent again: its first copy is long settled when it is read
REFUSED = [f"event-{number:05}" for number in (24, 31, 32, 45, 59)]  # none with the stuck one, in one batch


def refuse(call: dict[str, Any]) -> Reply | None:
    """A call that carries one of these, and no init."""
    bad = call["purpose"] != "init" and any(event["id"] in REFUSED for event in call["events"])
    return Reply(400, {}, b"no such thing") if bad else None


@dataclass
class Taken:
    """What is to be seen once another host has taken over from one that is gone."""

    world: World
    upstream: Hanging

    async def letters(self) -> list[DeadLetter]:
        return [
            DeadLetter.from_bytes(record.value or b"") for record in await self.world.records(TOPICS.dead_letters.name)
        ]

    async def exceptions(self) -> dict[str, tuple[str, str]]:
        """event id -> outcome and reason, of those that the receipts do not tell to be delivered."""
        receipts = [
            Receipt.from_bytes(record.value or b"") for record in await self.world.records(TOPICS.receipts.name)
        ]
        told = [exception for receipt in receipts for exception in receipt.exceptions]
        return {exception["id"]: (exception["outcome"], exception["reason"]) for exception in told}

    def refusals(self) -> Counter[str]:
        """Of each, the calls that it was alone in."""
        alone = [call["events"][0]["id"] for call in self.upstream.calls if len(call["events"]) == 1 and refuse(call)]
        return Counter(alone)


async def taken_over(directory: Path, kind: type[Chain | Batches], build: Build, *, mended: bool = False) -> Taken:
    """While its oldest call hangs, one host is gone without a word. `mended`: the vendor takes now what it has refused,
    and somebody has sent the dead letters again."""
    log, upstream = MemoryLog(), Hanging(fault=refuse)
    first = World(directory / "first", kind(), upstream, log, HeldClock(), build=build)
    second = World(directory / "second", kind(), upstream, log, SystemClock())
    taken, under_way = Taken(second, upstream), first.destination.batch.events  # the stuck one, with its batch
    for world in (first, second):
        world.directory.mkdir()
        world.options = world.options.model_copy(update={"concurrency": CONCURRENCY, "timeout": 1e6})
    await first.append(*[make_event(number, f"v{number}") for number in range(COUNT)])
    with contextlib.suppress(Gone):
        async with first.running() as delivery:
            await until(lambda: len(taken.refusals()) == len(REFUSED) and delivery.relay.ledger.waiting == under_way)
            await all_is_told(delivery)
            raise Gone
    assert sorted(letter.id for letter in await taken.letters()) == REFUSED
    assert await taken.exceptions() == {}  # all are beyond the committed offset
    if mended:
        upstream.fault = lambda _call: None
        await second.append(*[make_event(number, f"v{number}") for number in range(COUNT, COUNT + LATER)])
        await second.append_records(*[letter.replay(TOPICS.events.name, 0.0) for letter in await taken.letters()])
    upstream.free.set()
    await second.deliver()
    return taken


class Reticent(Ledger):
    """As it was: the note tells of what is delivered."""

    def note(self, partition: int, offset: int) -> str:
        return ":".join(super().note(partition, offset).split(":")[:4])


def build_reticent(target: Target, status: Status, around: Surroundings) -> Delivery:
    delivery = build_delivery(target, status, around)
    delivery.relay.ledger.__class__ = Reticent
    return delivery


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_what_another_host_refused_stays_dead(tmp_path: Path, kind: type[Chain | Batches]) -> None:
    taken = await taken_over(tmp_path, kind, build_delivery)
    assert taken.refusals() == dict.fromkeys(REFUSED, 1)
    assert sorted(letter.id for letter in await taken.letters()) == REFUSED
    assert await taken.exceptions() == dict.fromkeys(REFUSED, ("dead", "refused"))
    assert len(taken.upstream.ids()) == len(set(taken.upstream.ids())) == COUNT - len(REFUSED)
    assert in_order(taken.upstream.received)


async def test_without_it_it_is_refused_once_more(tmp_path: Path) -> None:
    """The negative control; and a forwarder reads the note of one that tells of no dead ones."""
    taken = await taken_over(tmp_path, Chain, build_reticent)
    assert taken.refusals() == dict.fromkeys(REFUSED, 2)
    assert len(taken.upstream.ids()) == len(set(taken.upstream.ids())) == COUNT - len(REFUSED)


async def test_whose_letter_was_sent_again_meanwhile_comes_once(tmp_path: Path) -> None:
    taken = await taken_over(tmp_path, Chain, build_delivery, mended=True)
    assert Counter(taken.upstream.ids()) == Counter(f"event-{number:05}" for number in range(COUNT + LATER))
    assert await taken.exceptions() == dict.fromkeys(REFUSED, ("dead", "refused"))


async def test_without_it_it_comes_twice(tmp_path: Path) -> None:
    """The negative control."""
    taken = await taken_over(tmp_path, Chain, build_reticent, mended=True)
    assert [event_id for event_id, times in Counter(taken.upstream.ids()).items() if times > 1] == REFUSED
