"""A child for the supervisor's tests: `python -m tests.support.a_child HOW FILE`. Writes its pid into FILE, a line a
start; `refuses` to start, `ends` a moment after it serves, is `stubborn` at SIGTERM, or is `good`."""

import os
import signal
import sys
import time
from pathlib import Path

from base.process import die_with_parent
from base.ready import tell_ready


def main(how: str, file: str) -> int:
    die_with_parent()
    if how == "refuses":
        sys.stderr.write("no, thanks\n")
        return 7
    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "stubborn" else lambda *_: sys.exit(0))
    with Path(file).open("a") as started:
        started.write(f"{os.getpid()}\n")
    tell_ready(os.environ)
    time.sleep(0.2 if how == "ends" else 600)
    return 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
