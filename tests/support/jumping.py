"""A wall clock that jumps when its test says so: the file that JUMPS names holds by how many seconds it is off.

Put in place of `time.time`, so that libraries go by it too. The monotonic clock is the machine's own, unless told
otherwise: then timers go by the wall clock, which is what a negative control wants.
"""

import os
import time
from pathlib import Path
from typing import Final

from base.clock import SystemClock

JUMPS: Final = "JUMPS"


def wall_clock_jumps() -> None:
    path, real = Path(os.environ[JUMPS]), time.time
    time.time = lambda: real() + float(path.read_text())


def timers_jump() -> None:
    """Every timer, deadline and age of ours goes by the wall clock."""
    wall_clock_jumps()
    SystemClock.monotonic = SystemClock.now  # type: ignore[method-assign]


def jump(path: Path, seconds: float) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(f"{seconds}\n")
    draft.replace(path)
