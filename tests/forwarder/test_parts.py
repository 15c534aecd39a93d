"""The engine's parts on their own: breaker, facts, store, secrets, receipts, and a log that is away or has holes."""

import asyncio
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from base.clock import ManualClock
from base.ids import SeededIds
from base.logs import quiet_logger
from base.reasons import Trouble
from base.settings import Section
from eventlog.erased import Erased
from eventlog.errors import LogUnavailable, RecordTooLarge
from eventlog.memory import MemoryLog
from forwarder.delivery.breaker import PROBE_SECONDS, TRIP, Breaker
from forwarder.destinations.base import Fact
from forwarder.keeping.durable import Durable
from forwarder.keeping.facts import CACHED_OWNERS, FactStore
from forwarder.keeping.store import Store
from forwarder.retry import RetryPolicy, retry_after
from forwarder.secrets import Cutter, secret_values
from tests.forwarder.small import Batches, Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream, numbered
from tests.forwarder.world import World

pytestmark = pytest.mark.anyio

POLICY = RetryPolicy(0.5, 30.0)
SPACING = 10.0
ONE = b"\xff\xff\xff\xff"  # the longest of every jitter
ZERO = b"\0\0\0\0"  # and the shortest


def test_retry_after_is_seconds_or_a_date() -> None:
    now = 784_111_770.0  # Sun, 06 Nov 1994 08:49:30 GMT
    assert retry_after({"retry-after": "120"}, now) == 120
    assert retry_after({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, now) == 7
    assert retry_after({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, now) == 0
    assert retry_after({"retry-after": "soon"}, now) is None
    assert retry_after({}, now) is None


def test_the_ceiling_doubles_up_to_the_longest() -> None:
    ceilings = [round(POLICY.delay(attempt, ONE), 3) for attempt in range(1, 9)]
    assert ceilings == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert POLICY.delay(5, ZERO) == 0


def test_the_breaker_lets_one_probe_through_and_opens_when_it_passes() -> None:
    breaker = Breaker(POLICY, 5, SPACING)
    for _ in range(TRIP - 1):
        breaker.failed(Trouble.NETWORK, 0.0, ONE, None, "")
        assert breaker.allows(0.0)
    breaker.failed(Trouble.NETWORK, 0.0, ONE, None, "no route")
    assert (breaker.state, breaker.reason) == ("troubled", Trouble.NETWORK)
    assert not breaker.allows(0.0)
    later = breaker.due(0.0)
    assert later is not None
    assert breaker.allows(later)
    assert breaker.begin()
    assert not breaker.allows(later + 100)
    breaker.passed(settled=False)
    breaker.end()
    assert breaker.allows(0.0)
    assert not breaker.begin()


def test_what_was_on_its_way_when_it_closed_makes_the_first_probe_no_later() -> None:
    breaker = Breaker(POLICY, 5, SPACING)
    for _ in range(TRIP + 16):
        breaker.failed(Trouble.SERVER_ERROR, 0.0, ONE, None, "")
    assert breaker.due(0.0) == pytest.approx(POLICY.delay(TRIP, ONE))


@pytest.mark.parametrize(("entropy", "asked", "waited"), [(ONE, 60.0, 66.0), (ZERO, 60.0, 60.0), (ONE, 2.0, 2.2)])
def test_retry_after_closes_at_once_and_is_kept_to_within_a_tenth(entropy: bytes, asked: float, waited: float) -> None:
    breaker = Breaker(POLICY, 5, SPACING)
    breaker.failed(Trouble.SERVER_ERROR, 10.0, entropy, asked, "")
    assert breaker.due(10.0) == pytest.approx(waited)
    assert not breaker.allows(10.0 + asked - 0.1)


def test_probes_are_spaced_whatever_the_jitter() -> None:
    breaker = Breaker(POLICY, 5, SPACING)
    for _ in range(TRIP):
        breaker.failed(Trouble.NETWORK, 0.0, ZERO, None, "")
    assert breaker.due(0.0) == 0.0, "the first may come at once"
    for probe in range(5):
        now = probe * SPACING
        assert breaker.allows(now)
        assert breaker.begin()
        breaker.failed(Trouble.NETWORK, now, ZERO, None, "")
        breaker.end()
        breaker.failed(Trouble.TIMEOUT, now + 1.0, ZERO, None, "a call from before, which took its time")
        assert breaker.due(now) == SPACING


def test_changed_settings_are_worth_a_probe_at_once() -> None:
    breaker = Breaker(POLICY, 2, SPACING)
    assert [breaker.refuses("wrong_asset") for _ in range(2)] == [False, True]
    breaker.pause(Trouble.SAME_REFUSAL, 5.0, "")
    assert not breaker.allows(6.0)
    breaker.mended(6.0)
    assert breaker.allows(6.0)
    assert breaker.begin()
    assert not breaker.refuses("wrong_asset"), "what the old settings drew counts no more"


def test_a_pause_ends_only_with_an_event_that_is_settled() -> None:
    breaker = Breaker(POLICY, 5, SPACING)
    breaker.pause(Trouble.CREDENTIALS, 0.0, "401")
    assert not breaker.allows(PROBE_SECONDS - 1)
    assert breaker.allows(PROBE_SECONDS)
    breaker.passed(settled=False)
    breaker.failed(Trouble.NETWORK, PROBE_SECONDS, ONE, None, "")
    assert (breaker.state, breaker.reason) == ("paused", Trouble.CREDENTIALS)
    breaker.passed(settled=True)
    assert breaker.state == "running"


def test_only_the_same_reason_in_a_row_counts() -> None:
    breaker = Breaker(POLICY, 3, SPACING)
    assert [breaker.refuses(reason) for reason in ("a", "a", "b", "b")] == [False] * 4
    breaker.delivered()
    assert [breaker.refuses("b") for _ in range(4)] == [False, False, True, True]


class Credentials(Section):
    key: SecretStr = SecretStr("k&y-secret")
    grants: dict[str, SecretStr] = {"pin": SecretStr("1234"), "short": SecretStr("x")}  # noqa: RUF012 - a setting
    region: str = "plain"


def test_secrets_are_cut_out_however_they_are_spelled() -> None:
    cutter = Cutter(secret_values(Credentials()), lambda: ["learned-token"])
    assert (
        cutter.text("a=k%26y-secret&b=k&y-secret c=1234 d=x plain learned-token") == "a=***&b=*** c=*** d=x plain ***"
    )
    assert cutter.headers({"X-Api-Key": "q", "Accept": "k&y-secret"}) == {"X-Api-Key": "***", "Accept": "***"}


async def fact_store(directory: Path, log: MemoryLog) -> tuple[FactStore, Store]:
    clock = ManualClock()
    store = Store(directory / "x.db", clock, quiet_logger())
    durable = Durable(await log.open_writer(), POLICY, clock, SeededIds(), quiet_logger())
    return FactStore("facts", store, durable, await log.open_scanner(), clock, erased=Erased()), store


async def test_facts_are_read_back_from_memory_store_and_changelog(tmp_path: Path) -> None:
    log, event = MemoryLog(), make_event(1, "v1")
    facts, store = await fact_store(tmp_path, log)
    assert await facts.put([Fact("shop/v1/a", {"n": 1}), Fact("shop/v1/b", {"n": 2})], [event])
    assert not await facts.put([Fact("shop/v1/a", {"n": 1})], [event])
    assert await facts.put([Fact("shop/v1/b", None), Fact("other/scope/c", {"n": 3})], [event])
    await store.close(5)
    assert [record.key for record in log.topic("facts")[0].records] == [b"v1", b"v1", b"other/scope"]
    for directory in (tmp_path, tmp_path / "other"):
        facts, store = await fact_store(directory, log)
        await facts.restore(0)
        assert facts.view([event]).get("shop/v1/a") == {"n": 1}
        assert facts.view([event]).get("shop/v1/b") is None
        assert facts.view([]).get("other/scope/c") == {"n": 3}
        await store.close(5)


async def test_a_restore_reads_only_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    log, event = MemoryLog(), make_event(1, "v1")
    facts, store = await fact_store(tmp_path, log)
    await facts.restore(0)
    await facts.put([Fact("shop/v1/a", {"n": 1})], [event])
    await facts.checkpoint([0])
    await store.close(5)
    log.expire("facts", 0, 1)  # what the checkpoint covers is not needed any more
    facts, store = await fact_store(tmp_path, log)
    await facts.restore(0)
    assert facts.view([event]).get("shop/v1/a") == {"n": 1}
    await store.close(5)


async def test_a_token_that_was_refused_is_forgotten_and_a_newer_one_is_not(tmp_path: Path) -> None:
    facts, store = await fact_store(tmp_path, MemoryLog())
    await facts.put([Fact("api/token", {"value": "one"}, secret=True)], [])
    planned = facts.stamp
    await facts.put([Fact("api/token", {"value": "two"}, secret=True)], [])
    await facts.put([Fact("api/token", None, secret=True)], [], planned)
    assert facts.secret_values() == ["two"]
    await facts.put([Fact("api/token", None, secret=True)], [], facts.stamp)
    assert facts.view([]).get("api/token") is None
    await store.close(5)
    assert b"one" not in (tmp_path / "x.db").read_bytes()


async def test_memory_for_facts_is_bounded(tmp_path: Path) -> None:
    facts, store = await fact_store(tmp_path, MemoryLog())
    for number in range(CACHED_OWNERS + 10):
        facts.doc(f"v{number}")
    assert len(facts._cache) == CACHED_OWNERS
    await store.close(5)


async def test_a_damaged_store_is_put_aside_and_filled_again(tmp_path: Path) -> None:
    log, event = MemoryLog(), make_event(1, "v1")
    facts, store = await fact_store(tmp_path, log)
    await facts.put([Fact("shop/v1/a", {"n": 1})], [event])
    await store.close(5)
    (tmp_path / "x.db").write_bytes(b"no database at all" * 1000)
    facts, store = await fact_store(tmp_path, log)
    await facts.restore(0)
    assert facts.view([event]).get("shop/v1/a") == {"n": 1}
    await store.close(5)
    assert (tmp_path / "x.db.damaged").exists()


async def test_what_must_be_durable_waits_until_the_log_is_back(tmp_path: Path) -> None:
    log = MemoryLog()
    facts, store = await fact_store(tmp_path, log)
    log.outage = LogUnavailable("away")
    putting = asyncio.create_task(facts.put([Fact("shop/v1/a", {"n": 1})], [make_event(1, "v1")]))
    await asyncio.sleep(0.02)
    assert not putting.done()
    log.outage = None
    assert await putting
    log.outage = RecordTooLarge("for good")
    with pytest.raises(RecordTooLarge):
        await facts.put([Fact("shop/v1/a", {"n": 2})], [make_event(1, "v1")])
    assert facts.view([make_event(1, "v1")]).get("shop/v1/a") == {"n": 1}
    await store.close(5)


async def test_a_hole_in_the_log_is_told_and_stepped_over(tmp_path: Path) -> None:
    log, upstream = MemoryLog(), Upstream()
    world = World(tmp_path, Batches(), upstream, log)
    await world.append(*numbered(10, 2))
    await world.deliver()
    await world.append(*(make_event(n, "v1") for n in range(10, 20)))
    log.expire(TOPICS.events.name, 0, 15)
    await world.deliver()
    assert upstream.ids()[-5:] == [f"event-000{number}" for number in range(15, 20)]
    receipts = [orjson.loads(record.value or b"") for record in await world.records(TOPICS.receipts.name)]
    lost = [exception for receipt in receipts for exception in receipt["exceptions"]]
    assert lost == [{"offset": 10, "end": 15, "outcome": "lost", "reason": "expired"}]


async def test_a_partition_that_is_lost_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    log = MemoryLog(partitions=3)
    upstream = Upstream(pauses=lambda: 3)
    world = World(tmp_path, Chain(), upstream, log)
    issued = list(numbered(200, 20))
    await world.append(*issued)
    async with world.running():
        for _ in range(5):
            await asyncio.sleep(0.02)
            log.evict(TOPICS.group("chain"), TOPICS.events.name)
        await world.until_committed()
    assert set(upstream.ids()) == {event.id for event in issued}
    firsts = dict(reversed([(event_id, subject) for event_id, subject in upstream.received]))
    assert set(firsts) == set(upstream.ids())


async def test_nothing_is_under_way_while_a_partition_is_restored(tmp_path: Path) -> None:
    upstream = Upstream(pauses=lambda: 5)
    world = World(tmp_path, Chain(), upstream)
    await world.append(*numbered(100, 50))
    async with world.running() as delivery:
        while len(upstream.flying) < 3:
            await asyncio.sleep(0)
        async with delivery.watch.engine.quiet():
            called = len(upstream.calls)
            assert (delivery.watch.engine.in_flight, upstream.flying) == (0, [])
            await asyncio.sleep(0.05)
            assert len(upstream.calls) == called < 100
        await world.until_committed()
    assert len(upstream.ids()) == 100
