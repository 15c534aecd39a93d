"""What the processes of a tree have counted, summed; also what those had counted that are gone.

Each process counts into files of its own (prometheus_client's multiprocess mode, which keeps them for ever). A tree
whose processes are replaced for years would gather thousands, so a dead one's counts are added to one file.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

_KINDS: Final = ("counter", "histogram")  # a gauge is of who lives


class Tallies(Collector):
    """`bury` is for the one process that watches the others; they are read while it is not half way through."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()  # metrics are asked for in threads

    def registry(self) -> CollectorRegistry:
        every = CollectorRegistry()
        every.register(self)
        return every

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        """Without the file that a process is only just making."""
        with self._lock:
            files = [str(path) for path in self._directory.glob("*.db") if path.stat().st_size]
            return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]

    def bury(self, pid: int) -> None:
        """When it has died."""
        with self._lock:
            mark_process_dead(pid, str(self._directory))  # type: ignore[no-untyped-call]
            for kind in _KINDS:
                _add(self._directory / f"{kind}_{pid}.db", self._directory / f"{kind}_ended.db")


def _add(one: Path, total: Path) -> None:
    """A sum that was not written whole is never seen."""
    if not one.exists():
        return
    draft = total.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    sums: dict[str, float] = {}
    for path in (total, one):
        if path.exists() and path.stat().st_size:
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
                sums[key] = sums.get(key, 0.0) + value
    written = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    draft.replace(total)
    one.unlink()
