"""What a host is given beside the code: alerts that name what we tell, units that start and end us as we want it."""

import re
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from collector.settings import CollectorSettings
from ochn.cli import app
from tests.support.house import ROOT

ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
OF_HISTOGRAMS = {"le"}


def told() -> dict[str, set[str]]:
    """Metric -> its labels, as operations.md has them; another test holds that table against the code."""
    rows = re.findall(r"^\| `(ochn_\w+)` \|([^|]*)\|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    return {name: set(re.findall(r"\w+", labels)) for name, labels in rows}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_told(rule: dict[str, dict[str, str]]) -> None:
    metrics, asked = told(), str(rule["expr"])
    named = {name.removesuffix("_bucket") for name in re.findall(r"\bochn_\w+", asked)}
    assert named
    assert named <= metrics.keys()
    known = OF_HISTOGRAMS.union(*(metrics[name] for name in named))
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \((.*?)\)", asked))))
    assert grouped | set(re.findall(r'(\w+)=~?"', asked)) <= known
    shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert shown <= grouped
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description"}


def test_what_loses_or_keeps_events_pages_somebody() -> None:
    paging = " ".join(str(rule["expr"]) for rule in RULES if rule["labels"]["severity"] == "page")
    for metric in (
        "ochn_log_state",
        "ochn_requests_total",
        "ochn_gap_records_total",
        "ochn_lag_seconds",
        "ochn_paused",
    ):
        assert metric in paging


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_starts_a_command_and_gives_it_time_to_drain(unit: Path) -> None:
    told = RawConfigParser(delimiters=("=",))
    told.optionxform = str  # type: ignore[assignment,method-assign]
    told.read_string(unit.read_text())
    service = told["Service"]
    command = service["ExecStart"].split("/bin/ochn ")[1]
    assert command in get_command(app).commands  # type: ignore[attr-defined]
    assert unit.stem == f"ochn-{command}"
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > CollectorSettings().drain_seconds + 2
