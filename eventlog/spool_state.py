"""What each process tells of its breaker: `<data_dir>/spool/state/<pid>.json`, gone with its process. `ochn spool status`
reads it, and so do the others, as they go back to the log together.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from base.clock import Clock, rfc3339
from base.files import write_whole
from base.process import is_running
from eventlog.breaker import Breaker

SHOW_SECONDS: Final = 1.0
STALE_SECONDS: Final = 3.0  # who has shown nothing for so long stands still, and is not waited for

# On the way back from the spool: not yet; could; lets nothing into it any more. `closed`: goes straight.
Stage = Literal["closed", "spooling", "ready", "holding"]


class SpoolState:
    """Written at each change, and each second while the breaker is not closed."""

    def __init__(self, spool_dir: Path, clock: Clock) -> None:
        self._path = spool_dir / "state" / f"{os.getpid()}.json"
        self._clock = clock
        self._breaker, self._stage, self._since = "", "", ""
        self._shown_at, self._shown_done = clock.monotonic(), 0

    def show(self, breaker: Breaker, stage: Stage, left: int, done: int) -> None:
        """`left` records wait, by the last count; `done`: how many this process has handed on."""
        changed = breaker.state != self._breaker
        seconds = self._clock.monotonic() - self._shown_at
        if not changed and stage == self._stage and (breaker.state == "closed" or seconds < SHOW_SECONDS):
            return
        self._stage = stage
        if not self._breaker:
            self._sweep()
        if changed:
            self._breaker, self._since = breaker.state, rfc3339(self._clock.now())
        document = {
            "pid": os.getpid(),
            "breaker": breaker.state,
            "stage": stage,
            "reason": breaker.reason,
            "detail": breaker.detail,
            "since": self._since,
            "waiting": left,
            "drained": done,
            "drain_rate": 0 if breaker.state == "closed" else round((done - self._shown_done) / max(seconds, 0.001)),
        }
        self._shown_at, self._shown_done = self._clock.monotonic(), done
        with suppress(OSError):  # a full disk: the log and the metrics tell it too
            self._write(orjson.dumps(document))

    def others(self) -> set[Stage]:
        """Stages of the other processes that spool."""
        found = set[Stage]()
        for path in self._path.parent.glob("*.json"):
            with suppress(OSError):  # gone meanwhile
                if path != self._path and abs(self._clock.now() - path.stat().st_mtime) < STALE_SECONDS:
                    document = orjson.loads(path.read_bytes())
                    found |= {document.get("stage", "closed")} if is_running(document["pid"]) else set()
        return found - {"closed"}

    def remove(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """What those left who were killed."""
        for path in self._path.parent.glob("*.json"):
            if not is_running(int(path.stem)):
                path.unlink(missing_ok=True)

    def _write(self, document: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, document)


def shown(spool_dir: Path) -> list[dict[str, Any]]:
    """What the processes that run have to tell, by pid."""
    found = [orjson.loads(path.read_bytes()) for path in sorted((spool_dir / "state").glob("*.json"))]
    return [document for document in found if is_running(document["pid"])]
