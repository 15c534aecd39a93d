"""`make bench-shim` with few trials: its counts must hold here too; its times are for a machine that does nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.shim_bench import markdown, stamps
from tests.support.house import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FULL = ROOT / "docs/omnichannel.json"
SHARE = "0.01"


def test_the_figures_hold_in_few_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "few.json"
    asked = [sys.executable, "-m", "loadtests.shim_bench", "--share", SHARE, "--json", str(file)]
    subprocess.run(asked, cwd=ROOT, check=True, timeout=570, stdout=subprocess.DEVNULL)
    few, full = figures(file), figures(FULL)
    with capsys.disabled():
        for name, figure in few.items():
            beside = f"{full[name]['value']:g} ({full[name]['trials']})" if name in full else "not measured"
            print(f"\n  {name}: {figure['value']:g} {figure['unit']} ({figure['trials']}); in full: {beside}", end="")
    assert few.keys() == full.keys()
    counted = {name: one for name, one in few.items() if one["unit"] not in ("ms", "%")}  # nor a share of so few
    assert [name for name, one in counted.items() if one["most"] is not None and one["value"] > one["most"]] == []


def figures(file: Path) -> dict[str, dict[str, Any]]:
    return {figure["name"]: figure for told in json.loads(file.read_text()).values() for figure in told["figures"]}


def test_its_page_shows_the_full_figures() -> None:
    parts, page = json.loads(FULL.read_text()), (ROOT / "docs/omnichannel.md").read_text()
    assert markdown(parts) in page
    assert stamps(parts) in page
