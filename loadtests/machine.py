"""The machine under a benchmark: who sits on which core, what a process took, and what a figure must be told with."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
Cores = tuple[int, ...]


@dataclass(frozen=True)
class Seats:
    """Cores of each: `server` one worker's, `second` another's. An empty one: there is no core for it."""

    server: Cores
    driver: Cores
    broker: Cores
    second: Cores

    @property
    def both(self) -> Cores:
        return self.server + self.second


def seats(cores: Sequence[int]) -> Seats:
    """The server comes first, then who drives it, then Kafka, then a second worker. On one core nobody has their own."""
    if len(cores) < 2:
        return Seats((), (), (), ())
    one = [(core,) for core in cores] + [()] * 4
    return Seats(*one[:4])


def own_seats() -> Seats:
    return seats(sorted(os.sched_getaffinity(0)))


def pinned(cores: Cores, command: Sequence[str]) -> list[str]:
    """`command` on these cores; on none: wherever the system puts it."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command] if cores else list(command)


def pin(pid: int, cores: Cores) -> None:
    """Every thread of a process that runs already."""
    for task in Path(f"/proc/{pid}/task").iterdir() if cores else ():
        os.sched_setaffinity(int(task.name), cores)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children so far."""
    own = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, own[11:15])) / TICKS + sum(cpu_seconds(child) for child in children(pid))


def resident_mb(pid: int, *, peak: bool = False) -> float:
    """Of the largest child, or of a process without children: a worker's, not its supervisor's. `peak`: ever."""
    if below := children(pid):
        return max(resident_mb(child, peak=peak) for child in below)
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def describe(command: str) -> dict[str, Any]:
    """What stands beside every figure."""
    return {
        "command": command,
        "commit": commit(),
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}",
        "load_average": [round(load, 1) for load in os.getloadavg()],
    }


def commit() -> str:
    """Of the tree, with a `+` when files differ from it."""
    git = ["git", "-C", str(ROOT)]
    asked = [*git, "rev-parse", "--short", "HEAD"], [*git, "status", "--porcelain", "--untracked-files=no"]
    head, changed = (subprocess.run(each, capture_output=True, text=True, check=False).stdout.strip() for each in asked)
    return f"{head or 'unknown'}{'+' if changed else ''}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
