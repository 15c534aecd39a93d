"""The product as its user starts it: real processes, real ports, a data directory of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.ports import free_ports

OCHN = [sys.executable, "-m", "ochn"]
START_DEADLINE, STOP_DEADLINE = 120.0, 60.0


class Process:
    """One command that says `ready` on standard output. Its lines are kept; a deadline without it shows them."""

    def __init__(self, arguments: Sequence[str], environ: dict[str, str] | None = None) -> None:
        self._arguments = list(arguments)
        self._environ = {**os.environ, **(environ or {})}
        self.lines: list[str] = []
        self._popen: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        self.launch()
        self.wait_for("ready", START_DEADLINE)
        return self

    def launch(self) -> None:
        """Starts without waiting."""
        self._popen = subprocess.Popen(
            self._arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environ,
        )
        threading.Thread(target=self._read, args=(self._popen,), daemon=True).start()

    def _read(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stdout is not None
        with popen.stdout as output:
            for line in output:
                self.lines.append(line.rstrip())

    def wait_for(self, beginning: str, deadline: float) -> None:
        until = time.monotonic() + deadline
        while not any(line.startswith(beginning) for line in self.lines):
            if time.monotonic() > until or self.popen.poll() is not None:
                raise AssertionError(f"no {beginning!r} from {self._arguments}:\n" + "\n".join(self.lines[-40:]))
            time.sleep(0.02)

    @property
    def popen(self) -> subprocess.Popen[str]:
        assert self._popen is not None, "not started"
        return self._popen

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self.lines.clear()

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(STOP_DEADLINE)

    def end(self) -> None:
        """However it stands: gone after this."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()


class Product:
    """`ochn dev` on free ports. `flags` are added to the command, `environ` to its environment; `command` stands in for it."""

    def __init__(
        self,
        data_dir: Path,
        flags: Sequence[str] = (),
        environ: dict[str, str] | None = None,
        command: Sequence[str] = OCHN,
    ) -> None:
        self.data_dir = data_dir
        self.port, self.sandbox_port, self.admin_port = free_ports(3)
        self.process = Process(
            [
                *command,
                "dev",
                f"--port={self.port}",
                f"--sandbox-port={self.sandbox_port}",
                f"--admin-port={self.admin_port}",
                f"--data-dir={data_dir}",
                *flags,
            ],
            environ,
        )

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        pids = self.pids() if self.process.popen.poll() is None else {}
        self.process.end()
        wait_gone(pids.values())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> dict[str, int]:
        """The children's, by name."""
        found: dict[str, int] = get_json(f"http://127.0.0.1:{self.admin_port}/status")
        return found

    def kill(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """kill -9 of one child, of the supervisor alone (`ochn`), or of all at once (`all`); the tree is started again
        where it can't do that itself, and `meanwhile` is called while nobody lives."""
        if name not in ("ochn", "all"):
            os.kill(self.pids()[name], signal.SIGKILL)
            return
        children = self.pids()
        if name == "all":
            self.process.popen.send_signal(signal.SIGSTOP)  # else it starts others in their place, unknown here
            for pid in children.values():
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        wait_gone(children.values())
        meanwhile()
        self.process.start()

    def received(self, destination: str, after: int = 0) -> list[dict[str, Any]]:
        """The sandbox's calls of one destination; empty while the sandbox is away."""
        with contextlib.suppress(OSError):
            found: list[dict[str, Any]] = get_json(
                f"http://127.0.0.1:{self.sandbox_port}/_sandbox/received?destination={destination}&after={after}"
            )
            return found
        return []

    def fault(self, **fault: Any) -> None:
        """As `POST /_sandbox/faults` takes it; none given: all faults end."""
        body = json.dumps(fault).encode() if fault else None
        url = f"http://127.0.0.1:{self.sandbox_port}/_sandbox/faults"
        request = urllib.request.Request(url, body, method="POST" if fault else "DELETE")
        urllib.request.urlopen(request, timeout=60).read()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`ochn …` on this data directory."""
        return ochn(*arguments, f"--data-dir={self.data_dir}")


def ochn(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OCHN, *arguments], capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environ}
    )


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def wait_gone(pids: Any, deadline: float = 60.0) -> None:
    until = time.monotonic() + deadline
    for pid in pids:
        while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
            assert time.monotonic() < until, f"process {pid} outlives its parent"
            time.sleep(0.02)


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"
