"""Events a second and CPU an event of `ochn collector`, with and without its fast lane, beside two bare servers.

    python loadtests/bench.py --seconds 10 --connections 64 --json bench.json

wrk posts the vendor's sample visit from 100,000 visitors over loopback; default limits, embedded log, metrics on.
One machine drives and serves, so the bare servers' figures of the same run are the yardstick, not the absolute
numbers: one always gives the same answer through our own protocol, the other through uvicorn's. Afterwards each log is
counted: what was answered 2xx must be in it.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from base.settings import load
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.log_access import open_log

HERE = Path(__file__).parent
HOST = "127.0.0.1"
READY_DEADLINE, STOP_DEADLINE = 30.0, 15.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")
ENVIRONMENT = {"OCHN_PROFILE": "dev", "OCHN_KEYS__BENCH__VALUES": '["bench"]', "OCHN_ADMIN__PORT": "0"}


@dataclass(frozen=True)
class Options:
    seconds: int
    connections: int
    workers: int


@dataclass(frozen=True)
class Figures:
    """What one server did; `answered` counts the warming up as well."""

    server: str
    answered: int
    events_per_second: float
    cpu_us_per_event: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    broken: int


@dataclass(frozen=True)
class Seen:
    """What wrk saw; `refused`: answered 400 or above, `broken`: not answered."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def measure(server: str, command: list[str], port: int, options: Options) -> Figures:
    with running(command, port) as pid:
        warm = drive(port, 2, options.connections)
        before = cpu_seconds(pid)
        seen = drive(port, options.seconds, options.connections)
        used = cpu_seconds(pid) - before
    return Figures(
        server=server,
        answered=warm.requests - warm.refused + seen.requests - seen.refused,
        events_per_second=round(seen.requests / seen.seconds),
        cpu_us_per_event=round(used / max(seen.requests, 1) * 1e6, 1),
        p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms,
        max_ms=seen.max_ms,
        refused=seen.refused,
        broken=seen.broken,
    )


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """The started server's pid, once it answers; stopped in order afterwards."""
    with subprocess.Popen(command, env=os.environ | ENVIRONMENT, stdout=subprocess.DEVNULL, cwd=HERE.parent) as process:
        try:
            wait_until_it_answers(process, port)
            yield process.pid
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_DEADLINE)
            process.kill()


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_DEADLINE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, port, timeout=2)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args!r} did not serve within {READY_DEADLINE:.0f} s")


def drive(port: int, seconds: int, connections: int) -> Seen:
    """Runs wrk to its end; form.lua prints the sums last."""
    script, url = HERE / "form.lua", f"http://{HOST}:{port}/"
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 30).stdout
    return Seen(**json.loads(out.splitlines()[-1]))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children so far."""
    own = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, own[11:15])) / TICKS + sum(cpu_seconds(int(child)) for child in children)


def check_log(data: Path, answered: int, connections: int) -> None:
    """Ends the run when the log holds less than was answered, or more than was answered and then cut off by wrk."""
    kept = asyncio.run(events_in_log(data))
    if not answered <= kept <= answered + 2 * connections:
        raise SystemExit(
            f"{answered:,} events were answered 2xx and the log holds {kept:,}: these figures are worthless"
        )


async def events_in_log(data: Path) -> int:
    settings = load(Settings, ENVIRONMENT | {"OCHN_DATA_DIR": str(data)})
    scanner = await open_log(settings).open_scanner()
    bounds = await scanner.bounds(Topics().events.name)
    return sum(end - first for first, end in bounds.values())


def free_port() -> int:
    with socket.socket() as one:
        one.bind((HOST, 0))
        port: int = one.getsockname()[1]
        return port


def bare(port: int) -> list[str]:
    return [sys.executable, "-m", "loadtests.bare", str(port)]


def bare_uvicorn(port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "loadtests.bare:app", "--host", HOST, "--port", str(port), *options]


def measure_collector(server: str, options: Options, *flags: str) -> Figures:
    """On a log of its own, which must hold what was answered."""
    with tempfile.TemporaryDirectory(prefix="ochn-bench-") as data:
        port = free_port()
        where = ["--host", HOST, "--port", str(port), "--data-dir", data, "--log", "embedded"]
        ochn = str(Path(sys.executable).with_name("ochn"))
        command = [ochn, "collector", *where, "--workers", str(options.workers), *flags]
        figures = measure(server, command, port, options)
        check_log(Path(data), figures.answered, options.connections)
        return figures


def table(figures: list[Figures]) -> Table:
    shown = Table("", "answered", "events/s", "CPU µs", "p50 ms", "p99 ms", "max ms", "refused", "broken", box=None)
    for one in figures:
        name, *numbers = asdict(one).values()
        shown.add_row(name, *(f"{number:,}" if isinstance(number, int) else f"{number:.1f}" for number in numbers))
    return shown


def options_from(arguments: list[str]) -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(description="How fast one collector is, beside a bare server.")
    parser.add_argument("--seconds", type=int, default=10, choices=range(1, 121), metavar="1..120")
    parser.add_argument("--connections", type=int, default=64, choices=range(2, 513), metavar="2..512")
    parser.add_argument("--workers", type=int, default=1, choices=range(1, 17), metavar="1..16")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    return Options(given.seconds, given.connections, given.workers), given.json


def main(arguments: list[str]) -> None:
    options, file = options_from(arguments)
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: run `scripts/install-tools wrk`, or install the package wrk")
    one, other = free_port(), free_port()
    figures = [
        measure("bare", bare(one), one, options),
        measure("bare uvicorn", bare_uvicorn(other), other, options),
        measure_collector("ochn", options),
        measure_collector("ochn --no-fast-lane", options, "--no-fast-lane"),
    ]
    Console().print(table(figures))
    if file:
        file.write_text(json.dumps({"options": asdict(options), "figures": [asdict(one) for one in figures]}, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
