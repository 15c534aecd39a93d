"""A disk that is full, that fails, and that loses its power. `strace` injects the faults into a real process."""

import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.embedded import Oracle, appending, faults
from tests.support.log_appender import TOPIC, TOPICS
from tests.support.tools import require

MORE = 300  # records that must still go through, once a fault has passed


def injecting(fault: str) -> tuple[str, ...]:
    return (require("strace"), "-f", "-qq", "-o", "/dev/null", "-e", f"inject={fault}")


@pytest.mark.parametrize("call", ["pwrite64:error=ENOSPC:when=12..30", "fdatasync:error=EIO:when=6..9"])
def test_a_fault_of_the_disk_refuses_its_group_and_loses_nothing_acknowledged(tmp_path: Path, call: str) -> None:
    oracle = Oracle(tmp_path / "oracle.txt")
    with appending(tmp_path, oracle.path, under=injecting(call)):
        oracle.until_refused()
        oracle.until(len(oracle.acknowledged()) + MORE)
    assert faults(tmp_path, oracle) == []


def test_a_file_whose_flush_failed_is_sealed_and_never_flushed_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    under = (require("strace"), "-f", "-qq", "-y", "-o", str(trace), "-e", "trace=fdatasync")
    fault = ("-e", "inject=fdatasync:error=EIO:when=6")
    oracle = Oracle(tmp_path / "oracle.txt")
    with appending(tmp_path, oracle.path, under=(*under, *fault)):
        oracle.until_refused()
        oracle.until(len(oracle.acknowledged()) + MORE)
    flushes = [line for line in trace.read_text().splitlines() if ".seg" in line]
    failed = next(number for number, line in enumerate(flushes) if "EIO" in line)
    file = flushes[failed].split("<")[1].split(">")[0]
    assert not [line for line in flushes[failed + 1 :] if file in line]
    assert faults(tmp_path, oracle) == []


def test_a_full_disk_is_down_and_comes_back_without_a_restart(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk's."""
    oracle = Oracle(tmp_path / "oracle.txt")
    with appending(tmp_path, oracle.path) as process:
        oracle.until(100)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        oracle.until_refused()
        assert "the disk is full" in oracle.refusals()[0]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        oracle.until(len(oracle.acknowledged()) + MORE)
    assert faults(tmp_path, oracle) == []


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """An ext4 file system in a file. What its writer did not flush is not in the file. Needs root."""
    at.mkdir()
    subprocess.run(["mount", "-o", "loop", image, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)  # a scan's thread may be closing its last file


def lose_power(tmp_path: Path, *words: str, instants: int) -> list[list[str]]:
    """What is wrong in the log after each of some random instants at which the disk's content was kept."""
    image, oracle = tmp_path / "disk", Oracle(tmp_path / "oracle.txt")
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    subprocess.run([require("mkfs.ext4"), "-q", "-F", image], check=True)
    taken = []
    with mounted(image, tmp_path / "mount") as disk, appending(disk, oracle.path, *words) as process:
        oracle.until(100)
        for number in range(instants):
            time.sleep(random.uniform(0.01, 0.1))
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.02)  # what it had under way ends
            told = Oracle(Path(shutil.copy(oracle.path, tmp_path / f"oracle-{number}.txt")))
            subprocess.run(["cp", "--sparse=always", image, tmp_path / f"disk-{number}"], check=True)
            process.send_signal(signal.SIGCONT)
            taken.append((tmp_path / f"disk-{number}", told))
        process.kill()
        process.wait()
    wrong = []
    for copy, told in taken:
        with mounted(copy, copy.with_name(f"{copy.name}-mount")) as disk:
            wrong.append(faults(disk, told, topic=TOPICS.spool.name if "spool" in words else TOPIC))
        copy.unlink()
    return wrong


@pytest.mark.parametrize("words", [(), ("spool",)], ids=["the log", "the spool"])
def test_what_was_acknowledged_survives_a_power_loss(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert lose_power(tmp_path, *words, instants=20) == [[]] * 20


def test_without_the_flush_a_power_loss_is_seen(tmp_path: Path) -> None:
    assert any(lose_power(tmp_path, "no-sync", instants=3))
