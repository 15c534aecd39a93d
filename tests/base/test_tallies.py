"""Counts of several processes, of which some die: sums never fall, and files do not pile up."""

import subprocess
import sys
from pathlib import Path

from base.tallies import Tallies
from tests.support.detached import ROOT

COUNTS = """
import os
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
registry = CollectorRegistry()
Counter("c", "c", ["route"], registry=registry).labels("send").inc(2)
Histogram("h", "h", buckets=(1.0, 2.0), registry=registry).observe(1.5)
Gauge("g", "g", multiprocess_mode="livesum", registry=registry).set(7)
print(os.getpid())
"""


def counts(directory: Path) -> int:
    """A process that has counted, and its pid: its files are as a kill would leave them."""
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(directory)}
    done = subprocess.run([sys.executable, "-c", COUNTS], env=environ, cwd=ROOT, capture_output=True, check=True)
    return int(done.stdout)


def shown(tallies: Tallies) -> list[float | None]:
    registry = tallies.registry()
    names: list[tuple[str, dict[str, str]]] = [
        ("c_total", {"route": "send"}),
        ("h_sum", {}),
        ("h_count", {}),
        ("g", {}),
    ]
    names += [("h_bucket", {"le": "1.0"}), ("h_bucket", {"le": "2.0"}), ("h_bucket", {"le": "+Inf"})]
    return [registry.get_sample_value(name, labels) for name, labels in names]


def test_what_the_dead_had_counted_stays_in_the_sums(tmp_path: Path) -> None:
    tallies, pids = Tallies(tmp_path), [counts(tmp_path) for _ in range(3)]
    assert shown(tallies) == [6, 4.5, 3, 21, 0, 3, 3]
    for pid in pids[:2]:
        tallies.bury(pid)
        tallies.bury(pid)  # twice is once
    assert shown(tallies) == [6, 4.5, 3, 7, 0, 3, 3]
    tallies.bury(pids[2])
    assert shown(tallies) == [6, 4.5, 3, None, 0, 3, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_ended.db", "histogram_ended.db"]


def test_a_file_that_is_only_just_made_is_passed_over(tmp_path: Path) -> None:
    counts(tmp_path)
    for name in ("counter_1.db", "histogram_1.db", "gauge_livesum_1.db"):
        (tmp_path / name).touch()
    tallies = Tallies(tmp_path)
    assert shown(tallies)[0] == 2
    tallies.bury(1)
    assert shown(tallies)[0] == 2


def test_a_sum_that_a_crash_left_half_written_is_not_counted(tmp_path: Path) -> None:
    tallies, pid = Tallies(tmp_path), counts(tmp_path)
    (tmp_path / "counter_ended.draft").write_bytes(b"\xff" * 5000)
    tallies.bury(pid)
    assert shown(tallies)[0] == 2
