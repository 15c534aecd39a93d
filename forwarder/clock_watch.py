"""Tells when the wall clock was set while the forwarder runs: in the log, in a metric, and to `ochn status`.

No timer goes by that clock, and nothing expires by it (forwarder/keeping/store.py); but the times that events, receipts and
log lines bear do, and a vendor's, so whoever reads those wants to know.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from base.clock import Clock, rfc3339
from base.files import write_whole
from base.logs import Logger
from base.metrics import ForwarderMetrics

LOOK_SECONDS: Final = 1.0
LEAST_SECONDS: Final = 5.0  # of a jump: NTP steps by less, and a machine that sleeps for a moment does


def _path(data_dir: Path) -> Path:
    return data_dir / "forwarder" / "clock.json"


def read_jump(data_dir: Path) -> dict[str, Any] | None:
    """The last one since the forwarder started: {at: when it was seen, RFC 3339 by the new time; seconds: > 0 ahead}."""
    path = _path(data_dir)
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found


@dataclass(slots=True, kw_only=True, eq=False)
class ClockWatch:
    data_dir: Path
    clock: Clock
    metrics: ForwarderMetrics
    log: Logger
    _offset: float = field(init=False)  # of the wall clock to the monotonic one

    def __post_init__(self) -> None:
        self._offset = self.clock.now() - self.clock.monotonic()

    async def run(self) -> None:
        """Until it is cancelled."""
        with suppress(OSError):
            _path(self.data_dir).unlink(missing_ok=True)
        while True:
            self.look()
            await self.clock.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """A clock that is slewed never moves by much from one look to the next."""
        now = self.clock.now()
        before, self._offset = self._offset, now - self.clock.monotonic()
        jump = self._offset - before
        if abs(jump) < LEAST_SECONDS:
            return
        self.metrics.clock_jumps.labels("ahead" if jump > 0 else "back").inc()
        self.log.warning("clock.jumped", seconds=round(jump, 1))
        with suppress(OSError):  # a disk that is full: the log has told it
            path = _path(self.data_dir)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, orjson.dumps({"at": rfc3339(now), "seconds": round(jump, 1)}))
