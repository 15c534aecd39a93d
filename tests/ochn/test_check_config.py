"""What an operator may get wrong about the walls: named with its setting before anything listens."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from base.settings import read_sources
from collector.settings import LimitSettings, RateSettings
from eventlog.settings import KafkaSettings
from forwarder.settings import ForwarderSettings
from ochn.cli import app

HEAD = 'profile = "dev"\n[keys.shop]\nvalues = ["one"]\n'


def check(tmp_path: Path, content: str) -> Result:
    (tmp_path / "ochn.toml").write_text(HEAD + content)
    return CliRunner().invoke(app, ["check-config", f"--config={tmp_path}/ochn.toml", "--json"])


def faults(tmp_path: Path, content: str) -> list[str]:
    result = check(tmp_path, content)
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    told: list[str] = json.loads(result.stdout)["faults"]
    return told


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "-inf"])
@pytest.mark.parametrize(("table", "model"), [("limits", LimitSettings), ("rates", RateSettings)])
def test_every_limit_of_nothing_is_named(
    tmp_path: Path, table: str, model: type[LimitSettings | RateSettings], wrong: str
) -> None:
    names = [name for name, field in model.model_fields.items() if field.annotation in (int, float)]
    told = faults(tmp_path, f"[collector.{table}]\n" + "\n".join(f"{name} = {wrong}" for name in names))
    assert len(names) > 5
    for name, fault in zip(names, told, strict=True):
        assert fault.startswith(f"collector.{table}.{name} = {wrong.removeprefix('+')}: expected "), fault


@pytest.mark.parametrize(("table", "model"), [("forwarder", ForwarderSettings), ("log.kafka", KafkaSettings)])
@pytest.mark.parametrize("wrong", ["0.0", "-1.0", "nan", "inf"])
def test_every_time_that_is_none_or_has_no_end_is_named(
    tmp_path: Path, table: str, model: type[ForwarderSettings | KafkaSettings], wrong: str
) -> None:
    names = [name for name, field in model.model_fields.items() if field.annotation is float]
    told = faults(tmp_path, f"[{table}]\n" + "\n".join(f"{name} = {wrong}" for name in names))
    assert [fault.partition(" = ")[0] for fault in told] == [f"{table}.{name}" for name in names]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '[collector]\ntrusted_proxies = ["10.0.0.0/8", "nginx"]',
            "trusted_proxies = ['10.0.0.0/8', 'nginx']: expected addresses or networks (192.0.2.7, 10.0.0.0/8); 'nginx'",
        ),
        ('[collector]\ntrusted_proxies = ["*"]', "'*' is none"),
        ('[collector]\ntrusted_proxies = ["10.0.0.0/33"]', "'10.0.0.0/33' is none"),
        ('[collector.rates]\nunlimited = ["loadtest"]', "collector.rates.unlimited"),
        (
            '[keys.a]\nvalues = ["a"]\norigins = ["https://shop.example/cart"]',
            "keys.a.origins = ['https://shop.example/cart']: expected scheme://host[:port], lower case, without a path",
        ),
        ('[keys.a]\nvalues = ["a"]\norigins = ["shop.example"]', "'shop.example' is not"),
        ('[keys.a]\nvalues = ["a"]\norigins = ["https://shop.example/"]', "'https://shop.example/' is not"),
        ('[keys.a]\nvalues = ["a"]\norigins = ["https://u:p@shop.example"]', "keys.a.origins"),
        ('[keys.a]\nvalues = ["a"]\norigins = ["https://Shop.example"]', "keys.a.origins"),
        ('[keys.a]\nvalues = ["a"]\norigins = ["https://shop.example:443"]', "keys.a.origins"),
        ('[keys.a]\nvalues = ["a"]\norigins = ["*"]', "'*' is not"),
        ('[keys.a]\nvalues = ["a"]\nquota = 0', "keys.a.quota = 0: expected greater than 0"),
        ('[keys.a]\nvalues = ["one"]', "keys.a and keys.shop have the same value"),
        ('[admin]\nhost = "0.0.0.0"', "admin: token is required, because host = '0.0.0.0' is not loopback"),
        ('[admin]\ntoken = "short"', "admin.token = ***: expected 16 characters or more"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, told: str) -> None:
    (fault,) = faults(tmp_path, content)
    assert told in fault


@pytest.mark.parametrize("proxies", ["0.0.0.0/0", "::/0"])
def test_trusting_everybody_is_told(tmp_path: Path, proxies: str) -> None:
    result = check(tmp_path, f'[collector]\ntrusted_proxies = ["{proxies}"]')
    assert "trusts everybody" in result.stdout


def test_the_environment_may_be_as_wrong() -> None:
    raw = read_sources(None, {"OCHN_COLLECTOR__TRUSTED_PROXIES": '["10.0.0.1"'})
    assert raw["collector"]["trusted_proxies"] == '["10.0.0.1"', "told as the text it is, by its type"
