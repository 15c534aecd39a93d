"""What can't start says so in a plain sentence with the way out, and leaves what runs alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.product import Product
from tests.system.outside import command, form

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system-starting")]

MACHINE, SETTINGS = 3, 2  # exit codes: the machine is not as it should be; the configuration is not


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("running") / "data") as product:
        yield product
        answer = form(product.port, "/jsapi/init", {"appkey": "demo"})
        assert answer.status == 200, "what ran is disturbed by what could not start"
        assert "Traceback" not in "\n".join(product.process.lines)


def start(data_dir: Path, *flags: str, name: str = "dev", code: int = MACHINE) -> str:
    """What it said on standard error. Ports are free unless the flags say otherwise: the last flag counts."""
    port, sandbox_port, admin_port = free_ports(3)
    ports = {"dev": [f"--port={port}", f"--sandbox-port={sandbox_port}"], "collector": [f"--port={port}"]}.get(name, [])
    out, err = command(name, *ports, f"--admin-port={admin_port}", f"--data-dir={data_dir}", *flags, code=code)
    assert not out.startswith("ready")
    assert err.startswith("ochn: ")
    return out + err


@pytest.mark.parametrize("name", ["dev", "collector", "forwarder"])
def test_the_data_directory_is_in_use(running: Product, name: str) -> None:
    before = (running.data_dir / "dev.toml").read_bytes()
    said = start(running.data_dir, *([] if name == "dev" else [f"--config={running.data_dir}/dev.toml"]), name=name)
    assert f"{running.data_dir} is in use by another {name} (process {running.process.popen.pid})" in said
    assert "--data-dir" in said
    assert (running.data_dir / "dev.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("flag", "setting"),
    [("port", "collector.port"), ("sandbox_port", "sandbox.port"), ("admin_port", "admin.port")],
)
def test_the_port_is_in_use(running: Product, tmp_path: Path, flag: str, setting: str) -> None:
    port = getattr(running, flag)
    said = start(tmp_path / "data", f"--{flag.replace('_', '-')}={port}")
    assert f"can't listen on 127.0.0.1:{port} ({setting}): Address already in use" in said
    assert "choose another port" in said


def test_the_data_directory_can_not_be_written(tmp_path: Path) -> None:
    """As root too: a file stands in its way, and a file system that takes nothing."""
    (tmp_path / "file").touch()
    for directory in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/ochn")):
        said = start(directory)
        assert f"the data directory {directory} can't be used: " in said
        assert "--data-dir" in said


@pytest.mark.parametrize(
    ("layout", "told"),
    [('{"version":99}', "is of a newer version (layout 99, this one reads 1)"), ("garbage", "can't be read")],
)
def test_data_that_this_version_can_not_read(tmp_path: Path, layout: str, told: str) -> None:
    (tmp_path / "layout.json").write_text(layout)
    assert told in start(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"]


FAULTS = """
[collector]
workers = "many"
colour = "red"

[keys.shop]
values = ["a", "b", "c"]

[destinations.fp]
kind = "footprints"
base_url = "http://account.footprints.example"

[destinations.nc]
kind = "netcore"
region = "mars"
api_key = 5

[destinations.crm]
kind = "zapier"

[colector]
port = 1
"""


def test_every_fault_of_the_configuration_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ochn.toml").write_text(FAULTS)
    faults = {
        "collector.workers = 'many': expected a whole number",
        "collector.colour: no such setting",
        "keys.shop.values = ['a', 'b', 'c']: expected at most 2 in the list",
        "destinations.fp.base_url = 'http://account.footprints.example': expected https: http is for loopback only",
        "destinations.nc.region = 'mars': expected 'us', 'in' or 'eu'",
        "destinations.nc.api_key = ***: expected text",
        "colector: no such setting",
        'identity: secret is required unless profile = "dev"; `openssl rand -hex 32` makes one',
    }
    config = f"--config={tmp_path}/ochn.toml"
    said = start(tmp_path / "data", config, name="collector", code=SETTINGS)
    assert said.startswith(f"ochn: {tmp_path}/ochn.toml: 9 faults in the configuration:")
    told = set(said.splitlines()[1:])
    assert {f"  - {fault}" for fault in faults} < told
    assert any(line.startswith("  - destinations.crm.kind = 'zapier': expected one of 'footprints'") for line in told)
    assert not (tmp_path / "data").exists()
    checked = json.loads(command("check-config", config, "--json", code=SETTINGS)[0])
    assert {f"  - {fault}" for fault in checked["faults"]} == told


@pytest.mark.parametrize(
    ("content", "told"),
    [("a = [", "is not TOML"), ('profile = "prod"', "profile = 'prod': expected 'production' or 'dev'")],
)
def test_one_fault(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "ochn.toml").write_text(content)
    for name in ("collector", "forwarder"):
        said = start(tmp_path / "data", f"--config={tmp_path}/ochn.toml", name=name, code=SETTINGS)
        assert told in said


def test_no_configuration_at_all(tmp_path: Path) -> None:
    """Production wants a secret of its own, whoever starts it."""
    assert "secret is required" in command("collector", code=SETTINGS, cwd=tmp_path)[1]
    assert "No such file" in command("collector", "--config=nowhere.toml", code=SETTINGS, cwd=tmp_path)[1]
    assert list(tmp_path.iterdir()) == []
    _, err = command("status", code=1, cwd=tmp_path)
    assert "there is neither ./ochn.toml nor ./data here" in err
    _, err = command("quarantine", "list", "--data-dir=nowhere", code=1, cwd=tmp_path)
    assert "there is no data directory nowhere" in err
