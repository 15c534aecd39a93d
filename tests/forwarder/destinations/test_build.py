"""From settings to destinations: the documented examples, and the faults that are told."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from base.errors import SettingsError
from base.settings import validate
from forwarder.destinations.build import KINDS, build_destinations
from forwarder.settings import OURS, ForwarderRoot
from tests.support.destinations import MemoryFacts
from tests.support.events import NOW, send

DOCS = Path(__file__).parents[3] / "docs" / "destinations"
EXAMPLES = [
    pytest.param(page.stem, example, id=f"{page.stem}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    if page.stem != "own"  # needs a package that is not installed: test_own.py
    for number, example in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL))
]


def built(raw: dict[str, Any]) -> ForwarderRoot:
    return validate(ForwarderRoot, raw, "test")


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_documented_examples_are_good(kind: str, example: str) -> None:
    (destination,) = build_destinations(built(tomllib.loads(example)))
    assert (destination.name, destination.kind) == (kind, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_stands_in_an_example(kind: str) -> None:
    full = max((example for each in EXAMPLES if each.values[0] == kind for example in [str(each.values[1])]), key=len)
    chosen = built(tomllib.loads(full)).destinations[kind]
    undocumented = {"netcore": {"base_url"}, "footprints": {"pin"}}.get(kind, set())
    assert type(chosen).model_fields.keys() - chosen.model_fields_set == undocumented


def test_every_kind_is_documented() -> None:
    assert {page.stem for page in DOCS.glob("*.md")} - {"own"} == set(KINDS) == set(OURS)


def test_in_the_order_of_the_file_without_those_turned_off() -> None:
    footprints = {"kind": "footprints", "base_url": "shop.example"}
    raw = {"destinations": {"b": footprints, "a": footprints, "c": {**footprints, "enabled": False}}}
    assert [destination.name for destination in build_destinations(built(raw))] == ["b", "a"]


def test_our_key_goes_upstream_unless_another_is_set() -> None:
    raw = {
        "keys": {"shop": {"values": ["new", "old"], "tenant": "x"}, "app": {"values": ["same"]}},
        "destinations": {
            "f": {"kind": "footprints", "base_url": "shop.example/fp/", "upstream_appkeys": {"app": "theirs"}}
        },
    }
    (destination,) = build_destinations(built(raw))
    for name, value in (("shop", b"appkey=new"), ("app", b"appkey=theirs")):
        (call,) = destination.plan([send("visit", appkeyname=name)], MemoryFacts(), NOW).calls
        assert call.request.url == "https://shop.example/fp/jsapi/init"
        assert call.request.body == value


FOOTPRINTS = {"kind": "footprints", "base_url": "shop.example"}
NETCORE = {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "w"}
CLIENT = {"client_id": "c", "client_secret": "s", "username": "u", "password": "p"}
RAY = {"kind": "ray", **CLIENT, "store_id": 1, "events": {"sale": {"type": "A", "sub_type": "B"}}}
EXPERTSENDER = {"kind": "expertsender", "api_key": "k", "events": {"sale": {"id": 1}}}
ENGAGELAB = {"kind": "engagelab", "base_url": "x.example", "api_key": "k", "api_secret": "s"}


BY_DEFAULT = ("visit", "sale", "contact", "feedback", "engagement", "profiling", "register")


def sale(**more: Any) -> dict[str, Any]:
    return {"events": {"sale": {"type": "A", "sub_type": "B", **more}}}


def numbered(**more: Any) -> dict[str, Any]:
    return {"events": {"sale": {"id": 1, **more}}}


@pytest.mark.parametrize(
    ("destination", "fault"),
    [
        ({}, "destinations.x.kind: is required"),
        ({"kind": "zapier"}, "destinations.x.kind = 'zapier': expected one of 'footprints', 'netcore', 'ray', "),
        ({"kind": "footprints"}, "destinations.x.base_url: is required"),
        (
            {**FOOTPRINTS, "base_url": "http://shop.example"},
            "destinations.x.base_url = 'http://shop.example': expected https",
        ),
        ({**FOOTPRINTS, "base_url": "https://u:p@shop.example"}, "destinations.x.base_url"),
        ({**FOOTPRINTS, "key": "k"}, "key and secret go together"),
        ({**FOOTPRINTS, "grant_type": "pin"}, "grant_type pin needs pin"),
        ({**FOOTPRINTS, "grant_type": "password", "username": "u"}, "grant_type password needs password"),
        ({**FOOTPRINTS, "bse_url": "x"}, "destinations.x.bse_url: no such setting"),
        ({**NETCORE, "region": None}, "region is required"),
        ({**NETCORE, "web_asset_id": ""}, "web_asset_id or app_asset_id is required"),
        ({**NETCORE, "currency": "euro"}, "destinations.x.currency = 'euro'"),
        ({**NETCORE, "activities": {"sale": " "}}, "sale is empty"),
        ({**NETCORE, "activities": {"sail": "Sail"}}, "destinations.x.activities"),
        ({**NETCORE, "events": {"sale": {"fields": {"sum": "totl"}}}}, 'events.sale.fields: sum = "totl" is no field'),
        ({**NETCORE, "start": "tomorrow"}, "destinations.x.start = 'tomorrow'"),
        ({**NETCORE, "region": "mars"}, "destinations.x.region = 'mars': expected 'us', 'in' or 'eu'"),
        ({**NETCORE, "activities": dict.fromkeys(BY_DEFAULT, False)}, "the destination is on and delivers nothing"),
        ({**NETCORE, "api_key": "Bearer canary"}, "destinations.x.api_key = ***: expected the bare value"),
        ({**NETCORE, "api_key": "canary\n"}, "destinations.x.api_key = ***: expected the bare value"),
        ({**NETCORE, "api_key": "'canary'"}, "destinations.x.api_key = ***: expected the bare value"),
        ({**EXPERTSENDER, "api_key": ""}, "destinations.x.api_key = ***: expected the bare value"),
        ({**FOOTPRINTS, "key": "canary:s", "secret": "s"}, "destinations.x.key = ***: expected no colon"),
        ({**FOOTPRINTS, "key": "k", "secret": "canary…"}, "destinations.x.secret = ***: expected the bare value"),
        ({**RAY, "password": "canary\n"}, "destinations.x.password = ***: expected a password"),
        ({**RAY, "client_id": "a:b"}, "destinations.x.client_id = 'a:b'"),
        ({**RAY, "store_id": ""}, "destinations.x.store_id"),
        ({**ENGAGELAB, "api_key": "canary:s"}, "destinations.x.api_key = ***: expected no colon"),
        (
            {**ENGAGELAB, "events": {kind: {"wanted": False} for kind in BY_DEFAULT}},
            "the destination is on and delivers nothing",
        ),
        ({**RAY, "events": {}}, "the destination is on and delivers nothing"),
        ({**RAY, **sale(type="")}, "destinations.x.events.sale.type = ''"),
        ({**RAY, **sale(fields={"a": "totl"})}, 'events.sale.fields: a = "totl" is no field of sale; there are total_'),
        ({**RAY, **sale(fields={" ": "tenants"})}, "events.sale: a field has no name"),
        ({**RAY, **sale(constants={"a": ""})}, "destinations.x.events.sale.constants.a"),
        ({**RAY, "countries": {"Romania": "Rou"}}, "two capital letters for each: Rou"),
        ({**EXPERTSENDER, "events": {}}, "the destination is on and delivers nothing"),
        ({**EXPERTSENDER, "events": {"sale": {"id": 2**31}}}, "destinations.x.events.sale.id = 2147483648"),
        ({**EXPERTSENDER, "events": {"sold": {"id": 1}}}, "destinations.x.events"),
        ({**EXPERTSENDER, **numbered(segments=[0])}, "destinations.x.events.sale.segments.0 = 0"),
        ({**EXPERTSENDER, **numbered(fields={"A": {"field": "rating"}})}, 'A = "rating" is no field of sale'),
        (
            {**EXPERTSENDER, **numbered(fields={"A": {"field": "tenants", "type": "Money"}})},
            "A: tenants is no Money; it can be String, Text",
        ),
        ({**EXPERTSENDER, "identify_by": []}, "destinations.x.identify_by"),
        ({**ENGAGELAB, "base_url": "http://x.example"}, "expected https"),
        ({**ENGAGELAB, "events": {"sale": {"name": "Sale"}}}, "events.sale: 'Sale' is no name there"),
        ({**ENGAGELAB, "events": {"sale": {"constants": {"a-b": 1}}}}, "events.sale: 'a-b' is no name there"),
        ({**ENGAGELAB, "events": {"geo": {"fields": {"a": "tenants"}}}}, 'a = "tenants" is no field of geo'),
    ],
)
def test_a_fault_is_told_where_it_stands(destination: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        built({"destinations": {"x": destination}})
    assert [told for told in caught.value.faults if fault in told] != []
    assert "canary" not in str(caught.value)


def test_what_is_off_may_wait_for_its_mapping() -> None:
    off = {"a": {**RAY, "events": {}, "enabled": False}, "b": {**EXPERTSENDER, "events": {}, "enabled": False}}
    assert build_destinations(built({"destinations": off})) == []


def test_a_name_that_no_topic_can_have() -> None:
    with pytest.raises(SettingsError, match="destinations"):
        built({"destinations": {"My Shop": FOOTPRINTS}})


def test_secrets_are_not_told() -> None:
    with pytest.raises(SettingsError) as caught:
        built({"destinations": {"x": {**NETCORE, "api_key": ["canary"], "web_asset_id": ""}}})
    assert "canary" not in str(caught.value)
