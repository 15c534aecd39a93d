"""How fast the embedded log makes records durable: `python loadtests/embedded_log.py --processes 2 --appenders 256`.

Each appender has one record of 500 bytes under way. `--apart` gives each process a log of its own, for comparison with
the one that they share. Prints records a second and the time from append to settled.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.embedded import EmbeddedLog
from eventlog.errors import AppendError
from eventlog.event import RECORD_HEADERS
from eventlog.log import LogWriter, Position, Record
from eventlog.settings import EmbeddedSettings


class Load:
    """`seconds` long, after one second to warm up, `appenders` records are under way at any time."""

    def __init__(self, writer: LogWriter, appenders: int, seconds: float) -> None:
        self._writer, self._under_way = writer, appenders
        self._begin = time.perf_counter() + 1.0
        self._end = self._begin + seconds
        self.waits: list[float] = []
        self.done = asyncio.Event()
        for number in range(appenders):
            self._append(b"%064d" % number)

    def _append(self, key: bytes) -> None:
        sent = time.perf_counter()

        def settled(_: Record, result: Position | AppendError) -> None:
            if isinstance(result, AppendError):
                raise result
            now = time.perf_counter()
            if self._begin <= now < self._end:
                self.waits.append(now - sent)
            if now < self._end:
                self._append(key)
            else:
                self._leave()

        self._writer.append((Record("events", key, bytes(436), sent, RECORD_HEADERS),), settled)

    def _leave(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self.done.set()


async def _run(directory: Path, appenders: int, seconds: float, sync: bool) -> list[float]:
    metrics = log_metrics(CollectorRegistry())
    log = EmbeddedLog(
        EmbeddedSettings(sync=sync), directory, (), clock=SystemClock(), metrics=metrics, logger=quiet_logger()
    )
    writer = await log.open_writer()
    load = Load(writer, appenders, seconds)
    await load.done.wait()
    await writer.close(10)
    return load.waits


def one_process(directory: Path, appenders: int, seconds: float, sync: bool) -> list[float]:
    gc.freeze()  # what was imported need not be looked through again and again
    return uvloop.run(_run(directory, appenders, seconds, sync))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--appenders", type=int, default=256, help="of each process")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--apart", action="store_true", help="a log for each process")
    parser.add_argument("--no-sync", action="store_true", help="without the flush")
    parser.add_argument("--directory", help="where to write; default: the system's for temporary files")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as root, ProcessPoolExecutor(given.processes) as pool:
        places = [Path(root) / (str(number) if given.apart else "one") for number in range(given.processes)]
        runs = [pool.submit(one_process, place, given.appenders, given.seconds, not given.no_sync) for place in places]
        waits = sorted(wait for run in runs for wait in run.result())
    p50, p99 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
    print(
        f"{len(waits) / given.seconds:,.0f} records/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {waits[-1] * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
