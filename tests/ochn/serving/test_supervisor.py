"""The process tree: children are replaced, ended in order, and never outlive their parent."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from base.clock import SystemClock
from base.errors import StartError
from base.logs import build_logger, quiet_logger
from base.settings import LoggingSettings
from ochn.serving.running import Child
from ochn.serving.supervisor import Supervisor
from tests.support.product import wait_gone

pytestmark = pytest.mark.anyio
DEADLINE = 60.0
HIGH = 700  # a descriptor that nobody is given by chance


def child(how: str, file: Path, order: int = 0) -> Child:
    return Child(f"{how}-{order}", "tests.support.a_child", order, (how, str(file)))


def supervisor(
    *children: Child, lines: Callable[[str], None] | None = None, log: io.StringIO | None = None
) -> Supervisor:
    logger = quiet_logger() if log is None else build_logger(LoggingSettings(), "ochn", log)
    return Supervisor(children, dict(os.environ), SystemClock(), logger, lines=lines)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not reached():
            await asyncio.sleep(0.02)


def starts(file: Path) -> list[int]:
    told = [int(line) for line in file.read_text().split()] if file.exists() else []
    return [pid for pid in told if pid > 0]


async def test_a_killed_child_is_replaced_and_the_end_is_clean(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    tree = supervisor(child("good", file))
    await tree.start()
    first = tree.pids()["good-0"]
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(starts(file)) == 2)
    assert tree.pids()["good-0"] != first
    assert await tree.stop(DEADLINE) == 0
    wait_gone(starts(file))


async def test_a_child_that_keeps_ending_is_replaced_later_and_later_and_the_log_counts(tmp_path: Path) -> None:
    file, log = tmp_path / "starts", io.StringIO()
    tree = supervisor(child("ends", file), log=log)
    await tree.start()
    await until(lambda: len(starts(file)) >= 5)
    await tree.stop(DEADLINE)
    died = [entry for line in log.getvalue().splitlines() if (entry := orjson.loads(line))["event"] == "child.died"]
    assert [(entry["in_a_row"], entry["again_in"]) for entry in died[:4]] == [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8)]
    assert {entry["code"] for entry in died} == {3}
    wait_gone(starts(file))


async def test_a_child_that_the_system_can_not_start_now_is_started_later(tmp_path: Path) -> None:
    """What it is to inherit is closed for a while, in place of a system without memory or descriptors."""
    file, log = tmp_path / "starts", io.StringIO()
    inherited = os.dup2(2, HIGH)
    tree = supervisor(replace(child("good", file), fds=(inherited,)), log=log)
    await tree.start()
    os.close(inherited)
    os.kill(tree.pids()["good-0"], signal.SIGKILL)
    await until(lambda: "child.not_started" in log.getvalue())
    os.dup2(2, HIGH)
    await until(lambda: len(starts(file)) == 2)
    assert await tree.stop(DEADLINE) == 0
    os.close(inherited)


async def test_a_child_that_can_not_start_ends_it_with_its_own_code_and_words(tmp_path: Path) -> None:
    told: list[str] = []
    tree = supervisor(child("refuses", tmp_path / "starts"), lines=told.append)
    with pytest.raises(StartError, match="refuses-0 could not start") as caught:
        await tree.start()
    assert caught.value.exit_code == 7
    await tree.stop(DEADLINE)
    assert told == ["no, thanks"]


async def test_a_stubborn_child_is_killed_when_time_is_up(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    tree = supervisor(child("stubborn", file))
    await tree.start()
    assert await tree.stop(0.5) == 1
    wait_gone(starts(file))


async def test_children_end_in_the_order_of_the_data(tmp_path: Path) -> None:
    first, second = child("good", tmp_path / "first", 0), child("stubborn", tmp_path / "second", 1)
    tree = supervisor(second, first)
    await tree.start()
    ending = asyncio.create_task(tree.stop(2.0))
    await until(lambda: not Path(f"/proc/{tree.pids()['good-0']}").exists())
    assert Path(f"/proc/{tree.pids()['stubborn-1']}").exists()
    await ending


async def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    program = (
        "import asyncio, os, sys; from base.clock import SystemClock; from base.logs import quiet_logger;"
        "from ochn.serving.running import Child; from ochn.serving.supervisor import Supervisor\n"
        "async def main():\n"
        "    child = Child('c', 'tests.support.a_child', 0, ('stubborn', sys.argv[1]))\n"
        "    await Supervisor([child], dict(os.environ), SystemClock(), quiet_logger()).start()\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(file)])
    await until(lambda: len(starts(file)) == 1)
    parent.kill()
    parent.wait()
    wait_gone(starts(file))
