"""One destination of five hangs: how much later the others' events arrive.

    python -m loadtests.hanging --seconds 15 --rate 50 --hang footprints

On both logs, one after the other. A forwarder on one core, the sandbox on another, and sales appended at a steady rate: first all is well, then one vendor
takes calls and never answers. A destination's lag is what `ochn_lag` says, in seconds of that rate.
"""

import argparse
import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

from eventlog.appending import append_durably
from eventlog.log import LogWriter
from loadtests.again import NOWHERE, a_broker
from loadtests.filling import LogOptions, a_sale, open_writer
from loadtests.options import file
from loadtests.pinned import FORWARDER_CORE, HOST, SINK_CORE, forwarder, free_port, pinned

TICK = 0.1  # seconds between two appends
SETTLE_SECONDS = 5.0
TARGET = 1.0  # seconds that another's lag may rise
LAG = re.compile(r'^ochn_lag\{destination="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Rise:
    """Worst lags in seconds, with all well and with one hanging."""

    log: str
    destination: str
    hanging: bool
    before: float
    during: float
    rise: float
    verdict: str


@dataclass(frozen=True)
class Stand:
    writer: LogWriter
    topic: str
    rate: int
    admin: int

    async def worst(self, seconds: float) -> dict[str, float]:
        """Each destination's worst lag while sales come in."""
        worst: dict[str, float] = {}
        until, due = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until:
            now = time.time()
            count = max(1, round(self.rate * TICK))
            await append_durably(self.writer, [a_sale(self.topic, now) for _ in range(count)])
            for name, lag in (await asyncio.to_thread(lags, self.admin)).items():
                worst[name] = max(worst.get(name, 0.0), lag / self.rate)
            due += TICK
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        return worst


def lags(admin: int) -> dict[str, float]:
    """In events."""
    with urlopen(f"http://{HOST}:{admin}/metrics", timeout=10) as reply:
        return {name: float(lag) for name, lag in LAG.findall(reply.read().decode())}


async def measure(options: LogOptions, rate: int, seconds: float, victim: str) -> list[Rise]:
    admin = free_port()
    config = options.data / "soak.toml"
    with sandbox(options.data) as vendors:
        text = (Path(__file__).parent / "soak.toml").read_text()
        config.write_text(text.replace("127.0.0.1:8090", vendors))
        environ = {**options.environ(), "OCHN_CONFIG": str(config), "OCHN_ADMIN__PORT": str(admin)}
        writer = await open_writer(options)
        with forwarder(environ, FORWARDER_CORE):
            stand = Stand(writer, f"{options.prefix}.events", rate, admin)
            await stand.worst(SETTLE_SECONDS)
            before = await stand.worst(seconds)
            hang(vendors, victim)
            during = await stand.worst(seconds)
        await writer.close(10)
    return [rise(options.kind, name, victim, before[name], during[name]) for name in sorted(before)]


def rise(log: str, name: str, victim: str, before: float, during: float) -> Rise:
    verdict = "" if name == victim else "reached" if during - before <= TARGET else "below"
    return Rise(log, name, name == victim, round(before, 2), round(during, 2), round(during - before, 2), verdict)


@contextlib.contextmanager
def sandbox(data: Path) -> Iterator[str]:
    """Its host:port."""
    port = free_port()
    environ = {"OCHN_DATA_DIR": str(data / "vendors"), "OCHN_SANDBOX__PORT": str(port)}
    with pinned([sys.executable, "-m", "forwarder.sandbox"], SINK_CORE, environ):
        vendors = f"{HOST}:{port}"
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(OSError), urlopen(f"http://{vendors}/_sandbox/counts", timeout=10):
                break
            time.sleep(0.05)
        yield vendors


def hang(vendors: str, destination: str) -> None:
    order = json.dumps({"destination": destination, "fault": "hang"}).encode()
    with urlopen(Request(f"http://{vendors}/_sandbox/faults", data=order), timeout=10):
        pass


def table(rises: list[Rise]) -> Table:
    shown = Table(
        "log", "destination", "hangs", "lag before, s", "lag while it hangs, s", "rise, s", "verdict", box=None
    )
    for one in rises:
        shown.add_row(*map(str, asdict(one).values()))
    return shown


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="How one destination that hangs holds up the others.")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=int, default=50, help="events a second")
    parser.add_argument("--hang", default="footprints", metavar="DESTINATION")
    parser.add_argument("--logs", nargs="+", choices=("embedded", "kafka"), default=["embedded", "kafka"])
    parser.add_argument("--json", type=file, metavar="FILE", help="write the figures there as well")
    given = parser.parse_args(arguments)
    rises = []
    with tempfile.TemporaryDirectory(prefix="ochn-bench-") as folder:
        for kind in given.logs:
            with a_broker(kind, Path(folder, "broker")) as broker:
                options = LogOptions(kind, broker.bootstrap if broker else NOWHERE, Path(folder, kind), 0)
                options.data.mkdir()
                rises += asyncio.run(measure(options, given.rate, given.seconds, given.hang))
    Console(width=120).print(table(rises))
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in rises], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
