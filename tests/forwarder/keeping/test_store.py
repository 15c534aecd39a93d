"""SQLite's groups: who waits is served at once, and takes along what nobody waits for."""

import asyncio
from pathlib import Path

import pytest

from base.clock import ManualClock
from base.logs import quiet_logger
from forwarder.keeping.store import GROUP, Store

pytestmark = pytest.mark.anyio

ROW = "INSERT OR REPLACE INTO taken_in VALUES ('t', 0, ?)"


def _open(directory: Path) -> Store:
    return Store(directory / "x.db", ManualClock(), quiet_logger())


def _row(store: Store) -> list[tuple[int]]:
    return store.read("SELECT next FROM taken_in")


async def test_what_nobody_waits_for_is_gathered_and_written_by_itself(tmp_path: Path) -> None:
    store = _open(tmp_path)
    later = [store.write_soon(ROW, (number,)) for number in range(10)]
    assert store.pending == 10
    await asyncio.wait_for(later[0], 60)
    assert all(done.done() for done in later)  # one group
    assert _row(store) == [(9,)]
    await store.close(60)


async def test_who_waits_takes_along_in_order_what_came_before(tmp_path: Path) -> None:
    store = _open(tmp_path)
    later = store.write_soon(ROW, (1,))
    await asyncio.wait_for(store.write(ROW, (2,)), 60)
    assert later.done()
    assert _row(store) == [(2,)]
    await store.close(60)


async def test_all_is_written_before_a_look_and_at_the_end(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.write_soon(ROW, (1,))
    assert await store.look("SELECT next FROM taken_in") == [(1,)]
    store.write_soon(ROW, (2,))
    await store.close(60)
    again = _open(tmp_path)
    assert _row(again) == [(2,)]
    await again.close(60)


async def test_more_than_a_group_is_written_in_groups(tmp_path: Path) -> None:
    store = _open(tmp_path)
    later = [store.write_soon(ROW, (number,)) for number in range(2 * GROUP + 1)]
    await asyncio.wait_for(later[-1], 60)
    assert _row(store) == [(2 * GROUP,)]
    await store.close(60)


async def test_rows_of_one_statement_are_written_in_order_with_what_came_before(tmp_path: Path) -> None:
    store = _open(tmp_path)
    store.write_soon(ROW, (1,), (2,))
    assert store.pending == 2
    await asyncio.wait_for(store.write(ROW, (3,), (5,), (4,)), 60)
    assert _row(store) == [(4,)]
    assert store.pending == 0
    await store.close(60)
