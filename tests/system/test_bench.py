"""`make bench` measures what it says, and refuses figures that the log does not bear out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.bench import check_log
from tests.support.house import ROOT
from tests.support.tools import require

pytestmark = pytest.mark.system


def test_it_measures_every_server_and_the_log_holds_what_was_answered(tmp_path: Path) -> None:
    require("wrk")
    file = tmp_path / "bench.json"
    command = [sys.executable, "loadtests/bench.py", "--seconds", "1", "--connections", "8", "--json", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=100)
    figures = json.loads(file.read_text())["figures"]
    assert [each["server"] for each in figures] == ["bare", "bare uvicorn", "ochn", "ochn --no-fast-lane"]
    assert all(each["answered"] > 0 for each in figures)
    assert all(each["refused"] == each["broken"] == 0 for each in figures)


def test_figures_without_their_events_are_worthless(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="100 events were answered 2xx and the log holds 0"):
        check_log(tmp_path, answered=100, connections=8)
