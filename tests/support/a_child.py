"""A child for the supervisor's tests: `python -m tests.support.a_child HOW FILE`. Writes its pid into FILE, a line a
start, and as a negative number when it is told to go; `refuses` to start, starts only `once`, is `slow` to serve,
`ends` a moment after it serves, is `stubborn` at SIGTERM, or is `good`."""

import os
import signal
import sys
import time
from pathlib import Path

from base.process import die_with_parent
from base.ready import tell_ready


def main(how: str, file: str) -> int:
    die_with_parent(os.environ)
    if how == "refuses" or (how == "once" and not first(file)):
        sys.stderr.write("no, thanks\n")
        return 7
    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "stubborn" else lambda *_: leave(file))
    tell(file, os.getpid())
    time.sleep(1.0 if how == "slow" else 0.0)
    tell_ready(os.environ)
    time.sleep(0.2 if how == "ends" else 600)
    return 3


def first(file: str) -> bool:
    try:
        Path(f"{file}.once").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def leave(file: str) -> None:
    tell(file, -os.getpid())
    sys.exit(0)


def tell(file: str, number: int) -> None:
    with Path(file).open("a") as told:
        told.write(f"{number}\n")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
