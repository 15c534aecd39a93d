"""A reader that gets stuck is replaced, on each log; one that has nothing to do, or is asked for nothing, is not."""

import asyncio
import time

import pytest

from eventlog.errors import Fenced
from eventlog.log import Assigned, Batch, EventLog, Gap, LogReader, Revoked
from eventlog.memory import MemoryLog
from tests.support.logs import PATIENCE, assigned, fill, read, reading, values
from tests.support.watched import WatchedLog

pytestmark = pytest.mark.anyio
durable = pytest.mark.parametrize("log", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)

PATIENCE_HERE = 1.5


async def rest(reader: LogReader, count: int) -> tuple[list[bytes | None], list[object]]:
    """The next `count` records, asked for as a relay does, and what else was told meanwhile."""
    found: list[bytes | None] = []
    told: list[object] = []
    until = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < until, (found, told)
        item = await reader.next(500, 0.1)
        if isinstance(item, Assigned | Revoked | Gap):
            told.append(item)
        elif item is not None:
            found += [record.value for record in item.records]
    return found, told


@durable
async def test_a_reader_that_hands_out_nothing_while_the_log_goes_on_is_replaced(log: EventLog, topic: str) -> None:
    watched = WatchedLog(log, "silent", PATIENCE_HERE)
    await fill(log, topic, 3)
    async with reading(watched, topic) as reader:
        await read(reader, 3)
        await reader.commit(0, 2)
        await fill(log, topic, 2, first=3)
        found, told = await rest(reader, 3)
        assert found == [b"value 2", b"value 3", b"value 4"], "from what was committed on"
        assert told == [Revoked(topic, 0), Assigned(topic, 0, 2, 2)]
        await reader.commit(0, 5)
    assert watched.replaced >= 1
    assert await (await log.open_scanner()).committed("group", topic) == {0: 5}


@durable
async def test_a_reader_that_does_not_answer_is_replaced(log: EventLog, topic: str) -> None:
    watched = WatchedLog(log, "hangs", PATIENCE_HERE)
    await fill(log, topic, 3)
    async with reading(watched, topic) as reader:
        await read(reader, 3)
        found, told = await rest(reader, 3)
        assert found == [b"value 0", b"value 1", b"value 2"], "nothing of it was committed"
        assert told[0] == Revoked(topic, 0)
    assert watched.replaced >= 1


@durable
async def test_a_commit_that_is_not_answered_is_none(log: EventLog, topic: str) -> None:
    watched = WatchedLog(log, "no_commit", PATIENCE_HERE)
    await fill(log, topic, 3)
    async with reading(watched, topic) as reader:
        await read(reader, 3)
        with pytest.raises(Fenced):
            await reader.commit(0, 3)
        found, _ = await rest(reader, 3)
        assert len(found) == 3
        await reader.commit(0, 3)
    assert watched.replaced >= 1


async def test_what_a_reader_says_that_was_given_up_counts_no_more(topic: str) -> None:
    """Who commits and who reads are two: the one gives it up while the other still waits for it."""
    log = MemoryLog()
    watched = WatchedLog(log, "no_commit", patience=0.3)
    await fill(log, topic, 3)
    async with reading(watched, topic) as reader:
        await read(reader, 3)
        waiting = asyncio.create_task(reader.next(500, 60.0))
        with pytest.raises(Fenced):
            await reader.commit(0, 3)
        await fill(log, topic, 1, first=3)
        found, told = await rest(reader, 4)
        waiting.cancel()
        assert (len(found), told) == (4, [Revoked(topic, 0), Assigned(topic, 0, None, 0)])
    assert watched.replaced == 1


async def test_without_being_looked_after_it_stays_stuck(topic: str) -> None:
    """The negative control."""
    log = MemoryLog()
    watched = WatchedLog(log, "silent", patience=3600.0)
    await fill(log, topic, 3)
    async with reading(watched, topic) as reader:
        await read(reader, 3)
        await fill(log, topic, 2, first=3)
        assert {await reader.next(500, 0.1) for _ in range(int(20 * PATIENCE_HERE))} == {None}


@durable
async def test_nobody_is_replaced_for_having_nothing_to_do(log: EventLog, topic: str) -> None:
    watched = WatchedLog(log, patience=PATIENCE_HERE)
    async with reading(watched, topic) as reader:
        await assigned(reader)
        for asked_for in (500, 0):  # asked for nothing, it owes nothing
            until = time.monotonic() + 1.2 * PATIENCE_HERE
            while time.monotonic() < until:
                item = await reader.next(asked_for, 0.1)
                assert not isinstance(item, Batch | Gap), "but for its group, which may come together anew"
            await fill(log, topic, 1)
        assert values(await read(reader, 2)) == [b"value 0", b"value 0"]
    assert (watched.replaced, len(watched.opened)) == (0, 1)
