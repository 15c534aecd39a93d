"""Processes that share one embedded log, and die."""

import subprocess
from collections import deque
from contextlib import ExitStack
from pathlib import Path

from tests.support.embedded import Oracle, appending, faults


def kill_again_and_again(data_dir: Path, *words: str) -> list[Oracle]:
    """Two processes append side by side; one in turn is killed with -9 in the middle of it and another comes."""
    oracles = [Oracle(data_dir / f"process{number}.txt") for number in range(4)]
    alive: deque[subprocess.Popen[bytes]] = deque()
    with ExitStack() as all_ended:
        for oracle in oracles:
            alive.append(all_ended.enter_context(appending(data_dir, oracle.path, *words)))
            oracle.until(200)
            if len(alive) == 2:
                process = alive.popleft()
                process.kill()
                process.wait()
    return oracles


def test_what_two_processes_append_survives_their_kills_in_one_order(tmp_path: Path) -> None:
    oracles = kill_again_and_again(tmp_path)
    assert faults(tmp_path, *oracles) == []
    assert sum(len(oracle.acknowledged()) for oracle in oracles) >= 800


def test_without_the_lock_the_same_goes_wrong(tmp_path: Path) -> None:
    """The negative control: until two have written at once, which the machine's other work may keep them from."""
    rounds = [tmp_path / str(number) for number in range(5)]
    assert any(gone_wrong(directory) for directory in rounds)


def gone_wrong(directory: Path) -> bool:
    directory.mkdir()
    return faults(directory, *kill_again_and_again(directory, "no-lock")) != []
