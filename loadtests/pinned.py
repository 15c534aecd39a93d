"""The processes of a forwarder's benchmark, each on a core of its own: the forwarder, the vendor, a bare client."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from eventlog.event import Event
from forwarder.destinations.base import Call
from forwarder.destinations.footprints import Footprints, FootprintsSettings
from loadtests.filling import an_event
from tests.support.ports import free_ports

HOST = "127.0.0.1"
FORWARDER_CORE, SINK_CORE = 1, 2
READY_DEADLINE, STOP_DEADLINE = 30.0, 15.0  # seconds
BARE_CALLS = 400  # at a time
SIDE_BY_SIDE = 16
KEYS = {"OCHN_KEYS__BENCH__VALUES": '["bench"]'}


def figures(port: int) -> dict[str, int]:
    with urlopen(f"http://{HOST}:{port}/figures", timeout=10) as reply:
        found: dict[str, int] = json.load(reply)
    return found


def two_cores() -> tuple[int, int]:
    """The forwarder's and the vendor's, also where there are fewer cores than that takes."""
    ours = sorted(os.sched_getaffinity(0))
    return ours[FORWARDER_CORE % len(ours)], ours[SINK_CORE % len(ours)]


def free_port() -> int:
    return free_ports(1)[0]


@contextlib.contextmanager
def sink(core: int = SINK_CORE, *options: str) -> Iterator[tuple[int, int]]:
    """Port and pid; `options` are its own (loadtests/sink.py)."""
    port = free_port()
    with pinned([sys.executable, "-m", "loadtests.sink", str(port), *options], core, {}) as process:
        until = time.monotonic() + READY_DEADLINE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                figures(port)
                break
            time.sleep(0.05)
        yield port, process.pid


@contextlib.contextmanager
def forwarder(environ: Mapping[str, str], core: int) -> Iterator[int]:
    """Its pid, once it relays."""
    command = [sys.executable, "-m", "forwarder"]
    with pinned(command, core, {"OCHN_ADMIN__PORT": "0", **KEYS, **environ}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit("the forwarder has not started: it says above why")
        yield process.pid


@contextlib.contextmanager
def pinned(
    command: list[str], core: int, environ: Mapping[str, str], stdout: int | None = None, stdin: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Stopped in order afterwards."""
    root = Path(__file__).parent.parent
    taskset = ["taskset", "-c", str(core), *command]
    with subprocess.Popen(taskset, env=os.environ | dict(environ), cwd=root, stdout=stdout, stdin=stdin) as process:
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_DEADLINE)
            process.kill()


def destination(kind: str, port: int) -> dict[str, str]:
    """Settings for a forwarder whose one destination is the sink."""
    given = {"kind": kind, "base_url": f"http://{HOST}:{port}/{kind}"}
    if kind == "netcore":
        given |= {"api_key": "bench", "web_asset_id": "web"}
    return {f"OCHN_DESTINATIONS__{kind.upper()}__{name.upper()}": value for name, value in given.items()}


@contextlib.contextmanager
def bare_client(core: int) -> Iterator[Callable[[], float]]:
    """Each time it is asked, the CPU µs of a call of a client that has the bytes of a Footprints call ready."""
    with sink() as (port, _), tempfile.NamedTemporaryFile() as file:
        call = a_call(port)
        Path(file.name).write_bytes(call.request.body)
        command = [sys.executable, "-m", "loadtests.bare_client", call.request.url, file.name, str(SIDE_BY_SIDE)]
        with pinned(command, core, {}, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:

            def make() -> float:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(b"%d\n" % BARE_CALLS)
                process.stdin.flush()
                return float(process.stdout.readline())

            yield make


@contextlib.contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Nothing:
    """No facts but the id that the sink gave."""

    def get(self, key: str) -> dict[str, Any] | None:
        return {"id": "70" + "0" * 62, "utype": "p", "contact": {}} if key.endswith("/upstream") else None


def a_call(port: int) -> Call:
    """As the forwarder would make it."""
    wanted = FootprintsSettings.model_validate({"kind": "footprints", "base_url": f"http://{HOST}:{port}/footprints"})
    now = time.time()
    made = Footprints("footprints", wanted, {"bench": "bench"})
    return made.plan([Event.from_bytes(an_event(0, 0, now))], Nothing(), now).calls[0]
