"""Files beside the log: gone after their days, counted, and no others."""

import asyncio
import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from base.clock import ManualClock
from base.logs import quiet_logger
from collector.tidying import delete_before, keep_tidy

pytestmark = pytest.mark.anyio
DAY = 86_400.0
NOW = 1_800_000_000.0


def put(data_dir: Path, path: str, *, days: float) -> Path:
    file = data_dir / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    os.utime(file, (NOW - days * DAY,) * 2)
    return file


def left(data_dir: Path) -> set[str]:
    return {str(path.relative_to(data_dir)) for path in data_dir.rglob("*")}


def kept(data_dir: Path) -> None:
    for path, days in {"files/a/0": 31, "files/b/0": 31, "files/b/1": 29, "oversize/c": 31, "oversize/d": 29}.items():
        put(data_dir, path, days=days)
    put(data_dir, "log/x.seg", days=400)


def counted(counter: Counter) -> float:
    return next(sample.value for metric in counter.collect() for sample in metric.samples)


LATER = {"files", "files/b", "files/b/1", "oversize", "oversize/d", "log", "log/x.seg"}


def test_what_is_older_goes_with_the_folder_that_it_leaves_empty(tmp_path: Path) -> None:
    kept(tmp_path)
    assert (delete_before(tmp_path, NOW - 30 * DAY), left(tmp_path)) == (3, LATER)
    assert delete_before(tmp_path, NOW - 30 * DAY) == 0
    assert delete_before(tmp_path / "nowhere", NOW) == 0


async def test_it_is_counted_and_goes_on_by_itself(tmp_path: Path) -> None:
    kept(tmp_path)
    deleted = Counter("files_deleted", "test", registry=CollectorRegistry())
    tidying = asyncio.create_task(keep_tidy(tmp_path, 30, ManualClock(NOW), deleted, quiet_logger()))
    async with asyncio.timeout(30):
        while counted(deleted) < 5:  # the clock moves on as it sleeps
            await asyncio.sleep(0.005)
    tidying.cancel()
    assert left(tmp_path) == {"files", "oversize", "log", "log/x.seg"}


async def test_with_no_days_nothing_is_ever_deleted(tmp_path: Path) -> None:
    kept(tmp_path)
    deleted = Counter("files_deleted", "test", registry=CollectorRegistry())
    await keep_tidy(tmp_path, 0, ManualClock(NOW), deleted, quiet_logger())
    assert left(tmp_path) > LATER
