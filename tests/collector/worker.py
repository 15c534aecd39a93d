"""A collector of its own process, as `python -m collector` starts it."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.product import Process

COLLECTOR = (sys.executable, "-m", "collector")
CONFIG = """\
profile = "dev"

[keys.vendor-samples]
values = ["571e64183647a855d0sgf3a3"]

[keys.demo]
values = ["demo"]
"""


@dataclass(frozen=True)
class Worker:
    process: Process
    port: int
    admin: int
    config: Path
    data_dir: Path

    @property
    def pid(self) -> int:
        return self.process.popen.pid


def environment(directory: Path, port: int, admin: int, **settings: object) -> dict[str, str]:
    """Settings' names are those of the environment; the file holds the keys."""
    config = directory / "ochn.toml"
    if not config.exists():
        config.write_text(CONFIG)
    told = {
        "OCHN_CONFIG": config,
        "OCHN_DATA_DIR": directory / "data",
        "OCHN_COLLECTOR__PORT": port,
        "OCHN_ADMIN__PORT": admin,
        **settings,
    }
    return {name: str(value) for name, value in told.items()}


@contextmanager
def running(directory: Path, *command: str, **settings: object) -> Iterator[Worker]:
    """Serves when the context begins, and is gone when it ends, however that comes."""
    port, admin = free_ports(2)
    process = Process(command or COLLECTOR, environment(directory, port, admin, **settings))
    try:
        yield Worker(process.start(), port, admin, directory / "ochn.toml", directory / "data")
    finally:
        process.end()


@contextmanager
def by_uvicorn(directory: Path, *flags: str) -> Iterator[tuple[int, int]]:
    """`uvicorn collector.app:app`: its port, and that of the admin address."""
    port, admin = free_ports(2)
    command = [sys.executable, "-m", "uvicorn", "collector.app:app", "--port", str(port), *flags]
    environ = {**os.environ, **environment(directory, port, admin)}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_until_live(port)
        yield port, admin
    finally:
        process.terminate()
        process.wait(30)


def wait_until_live(port: int, seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5).close()
        except OSError:
            assert time.monotonic() < ends, f"nobody serves on port {port}"
            time.sleep(0.05)
        else:
            return


def failing(directory: Path, port: int = 0, admin: int = 0, **settings: object) -> subprocess.CompletedProcess[str]:
    """One that can't start: its exit code and words."""
    environ = environment(directory, port, admin, **settings)
    return subprocess.run(COLLECTOR, env=environ, capture_output=True, text=True, check=False, timeout=60)
