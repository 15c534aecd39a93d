"""A secret in every setting that takes one, in headers and in queries: it stands in nothing that people read."""

import base64
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from base.masking import MASK
from base.settings import load
from ochn.cli import app
from ochn.config import Settings
from tests.support.product import OCHN, Process, Product
from tests.system.outside import eventually, form, request

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system-canaries"), pytest.mark.timeout(180)]

CONFIG = """\
profile = "dev"

[admin]
token = "CANARY-admin-token-0"

[logging]
level = "debug"
events = true

[identity]
secret = "CANARY-identity-secret-0123456789abcdef"
previous_secrets = ["CANARY-identity-before-0123456789abcdef"]
person_secret = "CANARY-identity-person-0123456789abcdef"

[log.kafka]
sasl_username = "ochn"
sasl_password = "CANARY-sasl-password"

[keys.demo]
values = ["demo"]

[destinations.footprints]
kind = "footprints"
base_url = "http://127.0.0.1:{port}/footprints"
key = "CANARY-footprints-key"
secret = "CANARY-footprints-secret"

[destinations.by-password]
kind = "footprints"
base_url = "http://127.0.0.1:{port}/footprints"
key = "CANARY-password-key"
secret = "CANARY-password-secret"
grant_type = "password"
username = "somebody"
password = "CANARY-footprints-password"

[destinations.by-pin]
kind = "footprints"
base_url = "http://127.0.0.1:{port}/footprints"
key = "CANARY-pin-key"
secret = "CANARY-pin-secret"
grant_type = "pin"
username = "somebody"
pin = "CANARY-footprints-pin"

[destinations.netcore]
kind = "netcore"
base_url = "http://127.0.0.1:{port}/netcore"
api_key = "sandbox-netcore"
web_asset_id = "web-asset"
app_asset_id = "app-asset"

[destinations.netcore-refused]
kind = "netcore"
base_url = "http://127.0.0.1:{port}/netcore"
api_key = "CANARY-netcore-key"
web_asset_id = "web-asset"
app_asset_id = "app-asset"

[destinations.ray]
kind = "ray"
base_url = "http://127.0.0.1:{port}/ray"
client_id = "client"
client_secret = "CANARY-ray-secret"
username = "somebody"
password = "CANARY-ray-password"
store_id = "store"
[destinations.ray.events.sale]
type = "SALE"
sub_type = "STORE"

[destinations.expertsender]
kind = "expertsender"
base_url = "http://127.0.0.1:{port}/expertsender"
api_key = "CANARY-expertsender-key"
[destinations.expertsender.events.sale]
id = 101

[destinations.engagelab]
kind = "engagelab"
base_url = "http://127.0.0.1:{port}/engagelab"
api_key = "CANARY-engagelab-key"
api_secret = "CANARY-engagelab-secret"
"""
SENT = "CANARY-sent-by-a-client"
LEAD = {"appkey": "demo", "lead[userEmail]": "lea@example.com", "lead[userFirstName]": "Lea"}
SALE = {"aditionalData[receipts][0][name]": "C&A", "aditionalData[receipts][0][value]": "5"}


def places(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[tuple[str, str]]:
    """Every setting that holds a secret, as (model, field)."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        for inner in _parts(field.annotation):
            if inner is SecretStr:
                yield model.__name__, name
            elif isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from places(inner, seen)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def planted(value: Any) -> Iterator[tuple[str, str, str]]:
    """(model, field, secret) of those that are set."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            inner = getattr(value, name)
            for secret in inner if isinstance(inner, tuple) else (inner,):
                if isinstance(secret, SecretStr):
                    yield type(value).__name__, name, secret.get_secret_value()
            yield from planted(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from planted(inner)


def spellings(secret: str) -> set[str]:
    """As it is, and in any base64 (Basic credentials) it may be in the middle of."""
    packed = (base64.b64encode(b"x" * before + secret.encode()).decode() for before in range(3))
    return {secret, *(text[4 : 4 + len(secret)] for text in packed)}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canaries") / "ochn.toml"


@pytest.fixture(scope="module")
def product(config: Path) -> Iterator[Product]:
    product = Product(config.parent / "data", [f"--config={config}"])
    config.write_text(CONFIG.replace("{port}", str(product.sandbox_port)))
    product.process.start()
    try:
        yield product
    finally:
        product.process.end()


def admin(product: Product, path: str) -> str:
    asked = urllib.request.Request(f"http://127.0.0.1:{product.admin_port}{path}")
    asked.add_header("Authorization", "Bearer CANARY-admin-token-0")
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(answer.read().decode())


def use(product: Product) -> list[str]:
    """Everything happens that may speak of a secret: pauses for credentials, dead letters, refusals; and the answers."""
    product.fault(destination="netcore", fault="400")
    headers = {"authorization": f"Bearer {SENT}", "x_api_key": SENT, "cookie": f"session={SENT}; ochn_lead={SENT}"}
    path = f"/jsapi/send?access_token={SENT}&password={SENT}"
    form(product.port, "/jsapi/init", {"appkey": "demo", "email": "ann@example.com"})
    form(product.port, "/jsapi/register", LEAD)
    visit = "appkey=demo&uid=p-one&uType=p&requestType=action&actionType={}"
    sale = "&".join([visit.format("sale"), *(f"{name}={value}" for name, value in SALE.items())])
    told = [
        request(product.port, "POST", path, body.encode(), content_type="application/x-www-form-urlencoded", **headers)
        for body in (sale, visit.format("dance"), "appkey=nobody", sale + "&a=%FF")
    ]
    told += [
        request(product.port, "GET", path, b"", **headers),
        request(product.port, "POST", f"/{SENT}?a={SENT}", b"", **headers),
    ]
    told.append(request(product.port, "POST", "/jsapi/send", b"{", content_type="application/json", **headers))
    where = f"--data-dir={product.data_dir}"
    eventually(lambda: "credentials" in said_by("status", "--json", where))
    eventually(lambda: said_by("dead-letters", "list", "--json", where))
    return [f"{answer.status} {answer.headers} {answer.body!r}" for answer in told]


COMMANDS = [
    ("status", "--json"),
    ("destinations", "--json"),
    ("quarantine", "list", "--json"),
    ("dead-letters", "list", "--json"),
    ("parked", "list", "--json"),
    ("bots", "list", "--json"),
    ("bots", "try", "--json", "--user-agent-contains=python"),
    ("spool", "status", "--json"),
    ("status",),
    ("dead-letters", "list"),
]


def said_by(*arguments: str) -> str:
    """What `ochn …` says, run in this process: a dozen starts take as many seconds."""
    done = CliRunner().invoke(app, list(arguments))
    assert "Usage:" not in done.output, arguments
    return f"{done.output}{done.exception or ''}"


def commands(product: Product, config: Path) -> Iterator[str]:
    where, told = f"--data-dir={product.data_dir}", f"--config={config}"
    letters = said_by("dead-letters", "list", "--json", where).splitlines()
    assert letters, "no dead letter to look into"
    newest = json.loads(letters[-1])["id"]
    for asked in (*COMMANDS, ("dead-letters", "show", newest), ("trace", newest, "--json")):
        yield said_by(*asked, where)
    for asked in (
        ("check-config", "--json"),
        ("check-config",),
        ("explain", "--json", "curl -d appkey=demo x/jsapi/init"),
    ):
        yield said_by(*asked, told)


def alone(name: str, product: Product, config: Path) -> str:
    """A service's whole log at its lowest level, with no vendor to reach."""
    flags = [f"--config={config}", f"--data-dir={product.data_dir}", f"--admin-port={product.admin_port}"]
    process = Process([*OCHN, name, *flags, *([f"--port={product.port}"] if name == "collector" else [])]).start()
    try:
        if name == "collector":
            request(product.port, "POST", f"/jsapi/send?token={SENT}", b"a=1", cookie=SENT, authorization=SENT)
            form(product.port, "/jsapi/register", LEAD | {"lead[userEmail]": "two@example.com"})
        else:
            request(product.admin_port, "GET", f"/metrics?token={SENT}", b"", authorization=SENT)
            eventually(lambda: any('"level":"warning"' in line for line in process.lines), 6)
        assert process.stop() == 0
    finally:
        process.end()
    return "\n".join(process.lines)


def test_no_secret_is_where_people_read(product: Product, config: Path) -> None:
    settings = load(Settings, {**os.environ, "OCHN_DATA_DIR": str(product.data_dir)}, config)
    secrets = [secret for *_, secret in planted(settings) if secret.startswith("CANARY")]
    assert {place[:2] for place in planted(settings) if place[2]} == set(places(Settings, set())), "plant one in each"
    said = {"answers": "\n".join(use(product)), "commands": "\n".join(commands(product, config))}
    said |= {path: admin(product, path) for path in ("/metrics", "/status", "/health/ready")}
    assert product.process.stop() == 0
    said["the log"] = "\n".join(product.process.lines)
    said |= {name: alone(name, product, config) for name in ("collector", "forwarder")}
    kept = [path for path in product.data_dir.rglob("*") if path.is_file() and "sandbox" not in path.parts]
    said |= {str(path): path.read_bytes().decode("latin-1") for path in kept}
    assert "credentials" in said["commands"], "nothing was refused"
    assert MASK in said["commands"], "nothing had to be masked"
    found = [
        (secret, place)
        for secret in (*secrets, SENT)
        for place, text in said.items()
        for spelling in spellings(secret)
        if spelling in text
    ]
    assert found == []


@pytest.mark.parametrize("wrong", ['["CANARY-list"]', '{a = "CANARY-table"}', '[["CANARY-deep"]]', '"CANARY"'])
def test_a_secret_of_a_wrong_shape_is_not_told(tmp_path: Path, wrong: str) -> None:
    lines = CONFIG.replace("{port}", "8090").splitlines()
    spoilt = [f"{line.partition('=')[0]}= {wrong}" if "CANARY" in line else line for line in lines]
    (tmp_path / "ochn.toml").write_text("\n".join(spoilt))
    for flags in ((), ("--json",)):
        told = said_by("check-config", f"--config={tmp_path}/ochn.toml", *flags)
        assert told.count(MASK) > 1
        assert "CANARY" not in told
