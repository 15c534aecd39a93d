"""`make bench` measures what it says, on real servers, with the log counted after each run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.support.tools import require

pytestmark = pytest.mark.system


def test_it_measures_and_the_log_holds_what_was_answered(tmp_path: Path) -> None:
    require("wrk")
    file, table = tmp_path / "bench.json", tmp_path / "bench.md"
    asked = ["--short", "--parts", "embedded,workers", "--json", str(file), "--markdown", str(table)]
    cores = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:2]))]
    subprocess.run([*cores, sys.executable, "-m", "loadtests.peak", *asked], cwd=ROOT, check=True, timeout=200)
    told = json.loads(file.read_text())
    assert {"commit", "machine", "load_average", "command"} <= told.keys()
    assert [one["verdict"] for one in told["lines"]] == ["not measurable here", "stated", "stated"]
    assert all(one["value"] > 0 and one["beside"] > 0 for one in told["lines"][1:])
    assert all(one["refused"] == one["broken"] == 0 and one["answered"] > 0 for one in told["figures"])
    assert "events/s" in table.read_text()
