"""The documents say what the code does: made again they are the same, and what they name exists."""

import re
import tomllib
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry, Metric
from typer.testing import CliRunner

from base.errors import SettingsError
from base.metrics import collector_metrics, forwarder_metrics, log_metrics
from base.reasons import Refusal
from base.settings import validate
from collector.replies import STATUS
from collector.settings import CollectorRoot
from eventlog.schema import schema
from ochn.check import remarks
from ochn.cli import app
from ochn.config import Settings
from ochn.reference import markdown

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_configuration_page_is_made_from_the_settings() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == markdown(), "run `make docs`"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.rstrip(" |").endswith("|") or row.split("|")[4].strip() == ""] == []


def test_the_event_schema_is_made_from_the_event() -> None:
    assert orjson.loads((ROOT / "docs/event.schema.json").read_bytes()) == schema(), "run `make docs`"


def test_the_example_configuration_is_one() -> None:
    raw = tomllib.loads((ROOT / "ochn.example.toml").read_text())
    settings = validate(Settings, raw, "ochn.example.toml")
    assert settings.enabled_destinations() == ("footprints", "netcore")


def test_what_is_commented_out_in_the_example_is_good_too() -> None:
    text = (ROOT / "ochn.example.toml").read_text()
    told = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    settings = validate(Settings, tomllib.loads(told), "ochn.example.toml")
    kinds = {settings.destinations[name].kind for name in settings.enabled_destinations()}
    assert kinds == {"footprints", "netcore", "ray", "expertsender", "engagelab"}


def test_every_metric_stands_in_operations_and_no_other() -> None:
    registry = CollectorRegistry()
    for declare in (collector_metrics, log_metrics, forwarder_metrics):
        declare(registry)
    names = {_family(metric) for metric in registry.collect()}
    told = set(re.findall(r"^\| `(ochn_\w+)`", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))
    assert told == names


def _family(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def test_every_refusal_stands_in_the_wire_reference_with_its_status() -> None:
    table = (ROOT / "docs/wire.md").read_text().split("## Refusals")[1]
    told = {
        reason: int(status)
        for status, reasons in re.findall(r"^\| (\d+) \| ([^|]+) \|", table, re.MULTILINE)
        for reason in re.findall(r"`(\w+)`", reasons)
    }
    assert told == {str(reason): status for reason, status in STATUS.items() if reason != Refusal.CLIENT_GONE}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_exists(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_command_of_the_readme_is_one() -> None:
    said = set(
        re.findall(
            r"ochn (dev|collector|forwarder|sandbox|status|explain|check-config|keys|quarantine|dead-letters)",
            (ROOT / "README.md").read_text(),
        )
    )
    listed = CliRunner().invoke(app, ["--help"]).output
    assert said
    assert [command for command in said if command not in listed] == []


def test_a_key_that_is_mapped_and_missing_is_told() -> None:
    raw = {"profile": "dev", "keys": {"shop": {"values": ["k"]}}}
    footprints = {"kind": "footprints", "base_url": "x.example", "upstream_appkeys": {"shop": "a", "shpo": "b"}}
    told = remarks(validate(Settings, {**raw, "destinations": {"f": footprints}}, "test"))
    assert told == ["destinations.f.upstream_appkeys.shpo: there is no [keys.shpo]"]


def test_what_of_the_example_was_not_replaced_is_told() -> None:
    text = (ROOT / "ochn.example.toml").read_text()
    to_replace = re.findall(r'^\w+ = "replace-', text, re.MULTILINE)
    settings = validate(Settings, tomllib.loads(text), "ochn.example.toml")
    told = [remark for remark in remarks(settings) if remark.endswith("is still the example's")]
    assert len(told) == len(to_replace) > 3


def test_what_cannot_be_passed_on_is_told_before_it_starts() -> None:
    raw = {"profile": "dev", "collector": {"pass_through": {"destination": "ads"}}}
    netcore = {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "w"}
    for destinations in ({}, {"ads": netcore}):
        for model in (Settings, CollectorRoot):
            with pytest.raises(SettingsError, match="'ads': no such Footprints destination"):
                validate(model, {**raw, "destinations": destinations}, "test")
    footprints = {"ads": {"kind": "footprints", "base_url": "http://shop.example"}}
    with pytest.raises(SettingsError, match="expected https"):
        validate(CollectorRoot, {**raw, "destinations": footprints}, "test")
