"""What a panel must have, as the live mapping has it; and an event rehearsed at all five destinations."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from base.settings import validate
from forwarder.destinations.build import build_destinations
from forwarder.settings import ForwarderRoot
from ochn.cli import app
from ochn.explaining.rehearse import rehearse
from tests.support.events import NOW, make_event, send

CONFIG = """
profile = "dev"
[keys.shop]
values = ["k"]
[destinations.fp]
kind = "footprints"
base_url = "x.example"
key = "canary"
secret = "canary"
[destinations.net]
kind = "netcore"
region = "eu"
api_key = "canary"
web_asset_id = "w"
location = true
[destinations.net.activities]
sale = "Order"
visit = false
[destinations.ray]
kind = "ray"
client_id = "c"
client_secret = "canary"
username = "u"
password = "canary"
store_id = 1
[destinations.ray.events.sale]
type = "A"
sub_type = "B"
constants = { vip = true, n = 1, at = "mall" }
[destinations.ecdp]
kind = "expertsender"
api_key = "canary"
[destinations.ecdp.events.sale]
id = 101
segments = [7]
[destinations.ecdp.events.feedback]
id = 102
fields = { "How Much" = { field = "rating", type = "Money" } }
constants = { Where = "mall" }
[destinations.engage]
kind = "engagelab"
base_url = "x.example"
api_key = "canary"
api_secret = "canary"
[destinations.engage.events.sale]
name = "order"
[destinations.engage.events.feedback]
wanted = false
[destinations.engage.events.geo]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ochn.toml"
    path.write_text(CONFIG)
    return path


def checklist(config: Path, name: str) -> dict[tuple[str, str], Mapping[str, str]]:
    result = CliRunner().invoke(app, ["panel-checklist", name, "--config", str(config), "--json"])
    assert result.exit_code == 0
    assert "canary" not in result.output
    items = [orjson.loads(line) for line in result.output.splitlines()]
    return {(item["what"], item["name"]): item["fields"] for item in items}


def test_netcores_activities_with_typed_parameters(config: Path) -> None:
    found = checklist(config, "net")
    names = ["Order", "Contact Request", "Feedback", "Engagement", "Profile Update", "Lead Submitted", "Location"]
    assert [name for _, name in found] == names
    assert found["activity", "Order"] == {
        "total_amount": "number",
        "currency": "text",
        "total_item_qty": "number",
        "items": "list of objects",
        "event_id": "text",
    }


def test_rays_types(config: Path) -> None:
    fields = {"amount": "number", "tenants": "list of texts", "vip": "true or false", "n": "number", "at": "text"}
    assert checklist(config, "ray") == {("type / subType", "A / B"): {**fields, "event_id": "text"}}


def test_expertsenders_ids_and_data_fields(config: Path) -> None:
    assert checklist(config, "ecdp") == {
        ("custom event", "101"): {"Total": "Money", "Tenants": "String", "Event ID": "String"},
        ("custom event", "102"): {"How Much": "Money", "Where": "String", "Event ID": "String"},
        ("segment", "7"): {},
    }


def test_engagelabs_events(config: Path) -> None:
    found = checklist(config, "engage")
    names = {name for _, name in found}
    assert names == {"visit", "order", "contact_request", "engagement", "profile_update", "lead_submitted", "location"}
    assert found["event", "location"] == {"lat": "number", "lon": "number"}


def test_for_people(config: Path) -> None:
    invoked = CliRunner().invoke(app, ["panel-checklist", "fp", "--config", str(config)])
    assert "custom variable" in invoked.output
    invoked = CliRunner().invoke(app, ["panel-checklist", "ecdp", "--config", str(config)])
    assert "How Much (Money), Where (String), Event ID (String)" in invoked.output
    assert CliRunner().invoke(app, ["panel-checklist", "nobody", "--config", str(config)]).exit_code != 0


def test_every_destination_is_rehearsed_to_the_end() -> None:
    raw: dict[str, Any] = tomllib.loads(CONFIG)
    sale = send("sale", {"receipts": [{"name": "C&A", "value": "52"}]})
    lead = make_event("web.register", {"lead": {"userEmail": "ann@x.example"}})
    destinations = {one.name: one for one in build_destinations(validate(ForwarderRoot, raw, "test"))}
    said = {name: [step["says"] for step in rehearse(one, sale, NOW)] for name, one in destinations.items()}
    assert said == {
        "fp": ["init:", "send:", "delivered"],
        "net": ["activity:", "delivered"],
        "ray": ["filtered (no_contact)"],
        "ecdp": ["segments:", "delivered"],
        "engage": ["register:", "report:", "delivered"],
    }
    steps = rehearse(destinations["engage"], lead, NOW)
    assert [step["says"] for step in steps] == ["register:", "contact:", "report:", "delivered"]
    assert steps[0]["request"]["headers"]["Authorization"] == "***"
