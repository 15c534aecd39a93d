"""A compacted topic as a table, followed while it grows, by several processes of one directory."""

import asyncio
from pathlib import Path

import pytest

from base.clock import SystemClock
from base.logs import quiet_logger
from eventlog.appending import append_durably
from eventlog.facts import upstream_id
from eventlog.log import Record
from eventlog.memory import MemoryLog
from eventlog.table import GROUP, TopicTable

pytestmark = pytest.mark.anyio
TOPIC = "facts"


async def append(log: MemoryLog, *pairs: tuple[bytes, bytes | None]) -> None:
    writer = await log.open_writer()
    await append_durably(writer, [Record(TOPIC, key, value, 0.0) for key, value in pairs])
    await writer.close(1)


async def test_it_holds_the_newest_of_each_key_and_forgets_what_was_erased(tmp_path: Path) -> None:
    log = MemoryLog(partitions=3)
    table = TopicTable(tmp_path / "t.db", TOPIC, await log.open_scanner())
    await table.take_in()
    assert table.get(b"a") is None
    await append(log, *((b"%d" % (number % 700), b"%d" % number) for number in range(3 * GROUP)), (b"b", b"1"))
    await table.take_in()
    assert [table.get(b"%d" % key) for key in (0, 199, 200, 699)] == [b"2800", b"2999", b"2300", b"2799"]
    await append(log, (b"b", None), (b"0", b"new"))
    await table.take_in()
    assert (table.get(b"b"), table.get(b"0")) == (None, b"new")
    table.close()
    again = TopicTable(tmp_path / "t.db", TOPIC, await log.open_scanner())
    assert again.get(b"0") == b"new"
    again.close()


async def test_one_of_several_takes_in_and_all_see_it(tmp_path: Path) -> None:
    log, clock = MemoryLog(), SystemClock()
    tables = [TopicTable(tmp_path / "t.db", TOPIC, await log.open_scanner()) for _ in range(3)]
    following = [asyncio.create_task(table.follow(clock, quiet_logger())) for table in tables]
    await append(log, (b"a", b"1"))
    async with asyncio.timeout(60):
        while any(table.get(b"a") != b"1" for table in tables):
            await asyncio.sleep(0.01)
    following.pop(0).cancel()
    tables.pop(0).close()  # as its process would end: another goes on
    await append(log, (b"a", b"2"))
    async with asyncio.timeout(60):
        while any(table.get(b"a") != b"2" for table in tables):
            await asyncio.sleep(0.01)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for table in tables:
        table.close()


async def test_a_topic_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    log, other = MemoryLog(), MemoryLog()
    await append(log, (b"a", b"1"), (b"b", b"2"))
    first = TopicTable(tmp_path / "t.db", TOPIC, await log.open_scanner())
    await first.take_in()
    first.close()
    await append(other, (b"a", b"3"))
    second = TopicTable(tmp_path / "t.db", TOPIC, await other.open_scanner())
    await second.take_in()
    assert second.get(b"a") == b"3"
    second.close()


def test_the_vendors_id_of_a_visitor() -> None:
    doc = b'{"shop/m1/upstream":{"id":"u1","utype":"","contact":{}},"shop/m1/lead":{"id":"x"}}'
    assert (upstream_id(doc, "shop", "m1"), upstream_id(doc, "other", "m1"), upstream_id(b"{}", "a", "b")) == (
        "u1",
        "",
        "",
    )
