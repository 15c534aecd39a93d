"""What is measured: `ochn collector` on a log of its own, and servers that do next to nothing."""

import asyncio
import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from base.settings import load
from eventlog.topics import Topics
from loadtests.calls import app_key
from loadtests.machine import ROOT, Cores, pinned
from ochn.config import Settings
from ochn.log_access import open_log
from tests.support.ports import free_ports

HOST = "127.0.0.1"
READY_DEADLINE, STOP_DEADLINE = 60.0, 20.0  # seconds


@dataclass(frozen=True)
class Server:
    """A running one; `environ` is what it was given."""

    name: str
    pid: int
    port: int
    environ: Mapping[str, str]

    def events(self) -> int:
        """In its log, without the quarantined."""
        return asyncio.run(_events_in_log(self.environ))

    def events_once(self, least: int, deadline: float) -> int:
        """In its log once so many have come, or at the deadline (seconds)."""
        until = time.monotonic() + deadline
        while (held := self.events()) < least and time.monotonic() < until:
            time.sleep(0.5)
        return held


@dataclass(frozen=True)
class Collector:
    """How to start one. `kafka`: the broker's address; empty: the embedded log. `keys`: app keys that it knows."""

    name: str = "ochn"
    kafka: str = ""
    workers: int = 1
    keys: int = 1
    flags: tuple[str, ...] = ()

    @contextlib.contextmanager
    def running(self, cores: Cores) -> Iterator[Server]:
        with tempfile.TemporaryDirectory(prefix="ochn-bench-") as data:
            (port,) = free_ports(1)
            config = Path(data) / "bench.toml"
            config.write_text("".join(f'[keys.{key}]\nvalues = ["{key}"]\n' for key in map(app_key, range(self.keys))))
            environ = {
                "OCHN_PROFILE": "dev",
                "OCHN_CONFIG": str(config),
                "OCHN_DATA_DIR": f"{data}/data",
                "OCHN_ADMIN__PORT": "0",
                "OCHN_LOG__KIND": "kafka" if self.kafka else "embedded",
                "OCHN_LOG__KAFKA__BOOTSTRAP": self.kafka or f"{HOST}:1",
                "OCHN_LOG__TOPIC_PREFIX": f"bench-{uuid.uuid4().hex}" if self.kafka else "ochn",
            }
            where = ["--host", HOST, "--port", str(port), "--workers", str(self.workers)]
            command = [sys.executable, "-m", "ochn", "collector", *where, *self.flags]
            with _running(self.name, pinned(cores, command), port, environ) as server:
                yield server


@contextlib.contextmanager
def bare(cores: Cores) -> Iterator[Server]:
    """A fixed reply from the same protocol."""
    (port,) = free_ports(1)
    command = pinned(cores, [sys.executable, "-m", "loadtests.bare", str(port)])
    with _running("bare", command, port, {}) as server:
        yield server


@contextlib.contextmanager
def bare_uvicorn(cores: Cores) -> Iterator[Server]:
    """The same reply over uvicorn's own protocol, as ASGI."""
    (port,) = free_ports(1)
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "loadtests.bare:app", "--host", HOST, "--port", str(port), *options]
    with _running("bare uvicorn", pinned(cores, command), port, {}) as server:
        yield server


@contextlib.contextmanager
def _running(name: str, command: Sequence[str], port: int, environ: Mapping[str, str]) -> Iterator[Server]:
    """Once it answers; stopped in order afterwards."""
    told = {**os.environ, **environ}
    with subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            _wait_until_it_answers(process, port)
            yield Server(name, process.pid, port, environ)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_DEADLINE)
            process.kill()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_DEADLINE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, port, timeout=2)
            connection.request("GET", "/health/ready")
            answer = connection.getresponse()
            if answer.status == http.HTTPStatus.OK and b"degraded" not in answer.read():
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} did not serve within {READY_DEADLINE:.0f} s")


async def _events_in_log(environ: Mapping[str, str]) -> int:
    settings = load(Settings, environ)
    scanner = await open_log(settings).open_scanner()
    bounds = await scanner.bounds(Topics(settings.log.topic_prefix).events.name)
    return sum(end - first for first, end in bounds.values())
