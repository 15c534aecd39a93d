"""What a process does when its parent or its terminal goes, seen from outside."""

import os
import select
import signal
import subprocess
import sys

import pytest

from base.ready import PARENT_PID
from tests.support.detached import ROOT

CHILD = """
import os, time
from base.process import die_with_parent
die_with_parent(os.environ)
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"

HEARS = """
import asyncio
from base.process import ending_at_signal, hangups

async def main():
    ending = ending_at_signal()
    hangup = hangups(ending)
    print("ready", flush=True)
    events = {asyncio.create_task(event.wait()): event for event in (ending, hangup)}
    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
    print("end" if ending.is_set() else "renew", flush=True)

asyncio.run(main())
"""


def test_a_child_goes_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        gone, _, _ = select.select([child], [], [], 20)
        if not gone:
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)
    assert gone


@pytest.mark.parametrize(("started_by", "code"), [(-1, -signal.SIGKILL), (0, 0)], ids=["gone", "there"])
def test_a_child_that_comes_up_when_its_parent_has_gone_goes_too(started_by: int, code: int) -> None:
    """Who asks for its parent then is told of another process."""
    environ = {**os.environ, PARENT_PID: str(started_by or os.getpid())}
    child = CHILD.replace("sleep(60)", "sleep(0)")
    assert subprocess.run([sys.executable, "-c", child], env=environ, cwd=ROOT, check=False).returncode == code


@pytest.mark.parametrize(("gone", "hears"), [(False, "renew"), (True, "end")])
def test_a_hangup_ends_it_only_when_its_terminal_has_gone(gone: bool, hears: str) -> None:
    ours, its = os.openpty()
    with subprocess.Popen([sys.executable, "-c", HEARS], stdout=subprocess.PIPE, stderr=its, cwd=ROOT) as process:
        os.close(its)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if gone:
            os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.stdout.read() == f"{hears}\n".encode()
    if not gone:
        os.close(ours)
