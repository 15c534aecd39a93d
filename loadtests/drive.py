"""Load as fast as the answers come: wrk, closed-loop, which finds the peak and tells nothing of how long people wait."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loadtests.calls import VISITORS, Call
from loadtests.machine import Cores, cpu_seconds, pinned, resident_mb
from loadtests.servers import HOST, Server

REPLAY = Path(__file__).with_name("replay.lua")


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


@dataclass(frozen=True)
class Figures:
    """What one server did. `answered` are requests with a 2xx, those of the warming up too; `resident_mb` at its peak."""

    server: str
    call: str
    connections: int
    answered: int
    events_per_second: float
    cpu_us_per_event: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    refused: int
    broken: int
    resident_mb: float
    spooled: int = 0  # events that Kafka did not hold at once, because they had gone into the spool


@dataclass(frozen=True)
class Load:
    """`keys`: how many app keys the calls come under. Times in seconds."""

    call: Call
    connections: int
    seconds: float
    warming: float = 2
    keys: int = 1

    def on(self, server: Server, cores: Cores) -> Figures:
        warm = self._run(server, cores, self.warming)
        before = cpu_seconds(server.pid)
        seen = self._run(server, cores, self.seconds)
        used = cpu_seconds(server.pid) - before
        events = max(seen.requests, 1) * self.call.events
        return Figures(
            server=server.name,
            call=self.call.name,
            connections=self.connections,
            answered=warm.requests - warm.refused + seen.requests - seen.refused,
            events_per_second=round(events / seen.seconds),
            cpu_us_per_event=round(used / events * 1e6, 1),
            p50_ms=seen.p50_ms,
            p99_ms=seen.p99_ms,
            max_ms=seen.max_ms,
            refused=seen.refused + warm.refused,
            broken=seen.broken + warm.broken,
            resident_mb=round(resident_mb(server.pid, peak=True), 1),
        )

    def _run(self, server: Server, cores: Cores, seconds: float) -> Seen:
        """wrk to its end; replay.lua prints the sums last."""
        with tempfile.NamedTemporaryFile("w", newline="") as file:
            file.write(self.call.text)
            file.flush()
            how = ["-t1", f"-c{self.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
            what = ["-s", str(REPLAY), f"http://{HOST}:{server.port}/", "--", file.name, str(VISITORS), str(self.keys)]
            done = subprocess.run(
                pinned(cores, ["wrk", *how, *what]), check=True, capture_output=True, text=True, timeout=seconds + 60
            )
        return Seen(**json.loads(done.stdout.splitlines()[-1]))
