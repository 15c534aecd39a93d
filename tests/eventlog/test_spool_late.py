"""A log that is late: what is on its way goes to the spool too, and is not sent twice where that can be known."""

import asyncio
import time
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from base.metrics import log_metrics
from eventlog.appending import append_durably
from eventlog.drain import RECORDS
from eventlog.embedded import EmbeddedLog
from eventlog.errors import LogUnavailable
from eventlog.memory import MemoryLog
from tests.support.spooled import (
    EVENTS,
    an_event,
    event_of,
    numbers,
    spooling,
    until_direct,
)
from tests.support.stalled import StalledLog

pytestmark = pytest.mark.anyio


async def test_only_what_an_earlier_drain_may_have_sent_is_doubted(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka is away")
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", number) for number in range(RECORDS + 100)])
        primary.outage = None
        await until_direct(writer)
    assert numbers(primary) == list(range(RECORDS + 100))
    doubted = [bool(event_of(record).get("maybeduplicate")) for record in primary.topics[EVENTS][0].records]
    assert doubted == [True] * RECORDS + [False] * 100


@pytest.mark.parametrize("in_order", [True, False])
async def test_who_follows_a_drain_that_ended_in_order_doubts_nothing(
    spool: EmbeddedLog, tmp_path: Path, in_order: bool
) -> None:
    primary = MemoryLog()
    for number in range(2):
        async with spooling(primary, spool, tmp_path) as writer:
            primary.outage = LogUnavailable("Kafka is away")
            await append_durably(writer, [an_event(b"key", number)])
            primary.outage = None
            await until_direct(writer)
        if not in_order:
            (tmp_path / "drained").unlink()
    first, second = map(event_of, primary.topics[EVENTS][0].records)
    assert first["maybeduplicate"], "nobody knows of an earlier drain"
    assert second.get("maybeduplicate", False) == (not in_order)


async def test_what_a_stalled_log_holds_goes_to_the_spool_and_is_not_sent_twice(
    spool: EmbeddedLog, tmp_path: Path
) -> None:
    """It says so late: nobody needs to look it up."""
    primary = StalledLog(MemoryLog())
    primary.unread = LogUnavailable("who looks, fails")
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", 0)])
        primary.stalled = True
        async with asyncio.timeout(60.0):
            await append_durably(writer, [an_event(b"key", number) for number in range(1, 50)])
        assert writer.state().status == "degraded"
        assert "not acknowledged" in writer.state().detail
        await append_durably(writer, [an_event(b"key", 50)])
        assert numbers(primary.kept) == [0]
        primary.let_go()
        await until_direct(writer)
        await append_durably(writer, [an_event(b"key", 51)])
    assert numbers(primary.kept) == list(range(52))
    flags = {event_of(record).get("spooled") for record in primary.kept.topics[EVENTS][0].records[:50]}
    assert flags == {None}, "they were on their way before the spool had them"


async def test_what_it_took_without_saying_so_is_found_in_its_tail(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary, metrics = StalledLog(MemoryLog()), log_metrics(CollectorRegistry())
    async with spooling(primary, spool, tmp_path, metrics=metrics) as writer:
        primary.stalled = True
        await append_durably(writer, [an_event(b"key", number) for number in range(10)])
        await asyncio.sleep(0.5)  # some looks: what it owes an answer to is sent by nobody
        primary.let_go(told=False)
        await append_durably(writer, [an_event(b"key", 10)])
        await until_direct(writer)
    assert numbers(primary.kept) == list(range(11))
    assert metrics.drained_already._value.get() == 10


async def test_what_it_had_lost_is_sent_and_says_that_it_may_be_twice(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary = StalledLog(MemoryLog())
    async with spooling(primary, spool, tmp_path) as writer:
        primary.stalled = True
        await append_durably(writer, [an_event(b"key", 0)])
        primary.let_go(taken=False)
        await until_direct(writer)
    assert numbers(primary.kept) == [0]
    event = event_of(primary.kept.topics[EVENTS][0].records[0])
    assert (event["spooled"], event["maybeduplicate"]) == (True, True)


@pytest.mark.parametrize("trouble", [LogUnavailable("not now"), RuntimeError("never seen before")])
async def test_a_log_that_cannot_be_looked_into_gets_it_twice_rather_than_never(
    spool: EmbeddedLog, tmp_path: Path, trouble: Exception
) -> None:
    primary = StalledLog(MemoryLog())
    primary.unread = trouble
    async with spooling(primary, spool, tmp_path) as writer:
        primary.stalled = True
        await append_durably(writer, [an_event(b"key", 0)])
        primary.let_go(told=False)
        await until_direct(writer)
    assert numbers(primary.kept) == [0, 0]


async def test_a_crowd_that_does_not_move_opens_before_its_time(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary, crowd = StalledLog(MemoryLog()), {"is": False}
    metrics = log_metrics(CollectorRegistry())
    async with spooling(
        primary, spool, tmp_path, slow_seconds=60.0, crowded=lambda: crowd["is"], metrics=metrics
    ) as writer:
        primary.stalled = True
        first = asyncio.ensure_future(append_durably(writer, [an_event(b"key", 0)]))
        await asyncio.sleep(0.2)
        crowd["is"] = True
        await asyncio.wait_for(append_durably(writer, [an_event(b"key", 1)]), 60.0)
        assert await asyncio.wait_for(first, 60.0)
        assert metrics.spool_opened.labels("crowded")._value.get() == 1
        crowd["is"] = False
        primary.let_go()
        await until_direct(writer)
    assert numbers(primary.kept) == [0, 1]


async def test_a_stall_of_our_own_is_not_the_logs(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary = StalledLog(MemoryLog())
    metrics = log_metrics(CollectorRegistry())
    async with spooling(primary, spool, tmp_path, slow_seconds=0.1, metrics=metrics) as writer:
        primary.stalled = True
        sent = asyncio.ensure_future(append_durably(writer, [an_event(b"key", 0)]))
        await asyncio.sleep(0.02)
        time.sleep(0.4)  # the loop stands still; the answer lies there, and takes some turns to be read
        turn = asyncio.get_running_loop().call_soon
        turn(partial(turn, partial(turn, partial(turn, primary.let_go))))
        await sent
        assert writer.state().status == "ok"
    assert numbers(primary.kept) == [0]


async def test_a_refusal_by_the_spool_waits_for_the_logs_own_word(tmp_path: Path) -> None:
    primary, spool = StalledLog(MemoryLog()), MemoryLog()
    spool.outage = LogUnavailable("no space left")
    async with spooling(primary, spool, tmp_path) as writer:
        for taken in (True, False):
            primary.stalled = True
            sent = asyncio.ensure_future(append_durably(writer, [an_event(b"key", int(taken))]))
            async with asyncio.timeout(60.0):
                while writer.state().status == "ok":
                    await asyncio.sleep(0.01)
            with pytest.raises(LogUnavailable, match="no space left"):
                await append_durably(writer, [an_event(b"key", 2)])
            assert not sent.done()
            primary.let_go(taken=taken)
            if taken:
                assert await sent
                await until_direct(writer)
            else:
                with pytest.raises(LogUnavailable, match="no space left"):
                    await sent
    assert numbers(primary.kept) == [1]
