"""PR_SET_PDEATHSIG, seen from outside: the parent is killed with -9, its child must go too."""

import os
import select
import signal
import subprocess
import sys

from tests.support.detached import ROOT

CHILD = "import os, time; from base.process import die_with_parent; die_with_parent(); print(os.getpid(), flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


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
