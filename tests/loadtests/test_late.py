"""What is told of late events and of those in time behind them is what came, in that order, on a real forwarder too."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.clock import rfc3339
from loadtests.filling import Visit
from loadtests.late import OFF, ON, arguments, cases
from loadtests.late_stand import AGE, Case, Load, Look, Used, row
from loadtests.sink import Received
from tests.support.house import ROOT

FEW = Load(late=25_300, in_time=12_000, most=60.0)
ONE = Case(5.0, 5.0, "apart", None)
CAME = {"events": 4, "calls": 1, "flagged": 2, "parked": 0}


def test_the_late_ones_are_late_and_stand_before_all_others() -> None:
    visits = list(FEW.visits("apart"))
    now = visits[-1].at
    assert [visit.number for visit in visits] == list(range(FEW.events))
    assert [visit.at for visit in visits] == sorted(visit.at for visit in visits)
    assert visits[FEW.late - 1].at == now - AGE
    assert rfc3339(visits[FEW.late].at) == rfc3339(now)


def test_those_in_time_are_others_or_the_same() -> None:
    def people(visits: Sequence[Visit]) -> set[int]:
        return {visit.visitor for visit in visits}

    for visitors, shared in (("apart", 0), ("same", 2_000)):
        visits = list(FEW.visits(visitors))
        late, in_time = people(visits[: FEW.late]), people(visits[FEW.late :])
        assert (len(late), len(in_time), len(late & in_time)) == (3_000, 2_000, shared)
    assert people(list(Load(3, 7, 1.0).visits("same"))) == {0, 1, 2}


def test_what_is_compared() -> None:
    both = cases(arguments(["--compare"]))
    assert (len(both), {case.lane for case in both}) == (16, {OFF, ON})
    assert [case.lane for case in cases(arguments(["--compare", "--lane"]))] == [None] * 8
    assert list(map(str, cases(arguments(["--vendor-ms", "5", "100"])))) == ["5 ms, apart", "100 ms, apart"]
    assert ONE.environ() == {"OCHN_DESTINATIONS__NETCORE__CALLS_PER_SECOND": "5.0"}
    assert Case(0.0, None, "same", OFF).environ() == {"OCHN_FORWARDER__LATE_PARKED": "0"}


def test_the_vendor_tells_late_from_in_time() -> None:
    received = Received(late=2)
    for numbers in ([1, 2], [0], [2]):
        activities = [{"annonid": "v", "activity_params": {"event_id": f"{number:012x}"}} for number in numbers]
        received.answer(b"/netcore/v1/activity/upload", b"", orjson.dumps(activities))
    assert received.sums == {"calls": 3, "events": 3, "late": 2, "backwards": 1, "again": 1}


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (CAME, ""),
        ({**CAME, "events": 3}, "NOT WHOLE"),
        ({**CAME, "flagged": 1}, "NOT WHOLE"),
        ({**CAME, "parked": 1}, "NOT WHOLE"),
    ],
)
def test_moments_are_told_and_what_is_missing(came: dict[str, int], verdict: str) -> None:
    looks = [Look(0.1, 0, 1), Look(0.2, 1, 1), Look(0.3, 2, 1)]
    seen = row(ONE, Load(2, 2, 1.0), looks, Used(cpu=0.5, stood=0.0, memory_mb=80.0), came)
    assert (seen.first_in_time_s, seen.half_in_time_s, seen.all_in_time_s, seen.last_late_s) == (0.2, 0.2, 0.3, None)
    assert (seen.cpu_us_per_event, seen.verdict) == (125_000.0, verdict)


@pytest.mark.system
def test_a_forwarder_that_is_far_behind_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "late.json"
    asked = [
        "--late",
        "300",
        "--in-time",
        "100",
        "--visitors",
        "apart",
        "same",
        "--vendor-ms",
        "1",
        "--json",
        str(file),
    ]
    subprocess.run([sys.executable, "-m", "loadtests.late", *asked], cwd=ROOT, check=True, timeout=200)
    rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
    assert [one["visitors"] for one in rows] == ["apart", "same"]
    for one in rows:
        assert (one["verdict"], one["flagged"], one["backwards"], one["again"]) == ("", 300, 0, 0)
        assert 0 < one["first_in_time_s"] <= one["half_in_time_s"] <= one["all_in_time_s"]
        assert one["last_late_s"] > 0
        assert one["calls"] > 0
        assert one["cpu_s"] > 0
        assert one["memory_mb"] > 0
