"""The sandbox as people run it: a process, on a port of its own, that a test may kill."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from tests.support.ports import free_ports

START_SECONDS = 30.0


class SandboxProcess:
    def __init__(self, data_dir: Path, **settings: str) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._environ = {
            **os.environ,
            "OCHN_DATA_DIR": str(data_dir),
            "OCHN_SANDBOX__PORT": str(port),
            **{f"OCHN_SANDBOX__{name.upper()}": value for name, value in settings.items()},
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "forwarder.sandbox"], env=self._environ)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/_sandbox/counts")
            except httpx.TransportError:
                assert self.process.poll() is None, "the sandbox ended instead of serving"
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the sandbox does not serve")

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(START_SECONDS)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def received(self, destination: str, after: int = 0) -> list[dict[str, Any]]:
        reply = httpx.get(f"{self.url}/_sandbox/received", params={"destination": destination, "after": after})
        found: list[dict[str, Any]] = orjson.loads(reply.content)
        return found

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(httpx.get(f"{self.url}/_sandbox/counts").content)
        return found

    def fault(self, **order: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/_sandbox/faults", json=order)

    def no_faults(self) -> None:
        httpx.delete(f"{self.url}/_sandbox/faults")
