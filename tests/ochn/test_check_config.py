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

NETCORE = '[destinations.nc]\nkind = "netcore"\nregion = "eu"\napi_key = "k"\nweb_asset_id = "w"\n'
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
        (f'{NETCORE}currency = "euro"', "destinations.nc.currency = 'euro': expected an ISO 4217 code, such as EUR"),
        (f'{NETCORE}start = "yesterday"', "start = 'yesterday': expected earliest, now, or a time with a zone"),
        (f'{NETCORE}activities.sal = "x"', "destinations.nc.activities.sal = 'sal': expected 'visit', 'sale'"),
        (
            f"{NETCORE}events.sale.constants.n = []",
            "events.sale.constants.n = []: expected true or false, a whole number, a number, text",
        ),
        (NETCORE.replace("nc", "NC"), "destinations.NC = 'NC': expected up to 63 small letters, digits, - and _"),
        (
            '[destinations.fp]\nkind = "footprints"\nbase_url = "https://ann:canary@fp.example"',
            "destinations.fp.base_url = 'https://***@fp.example': expected http(s)://host[:port][/path]",
        ),
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


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("OCHN_COLLECTOR__PROT", "1", "collector.prot: no such setting (OCHN_COLLECTOR__PROT)"),
        ("OCHN_KEYS__SHOP__VALUES", "two", "keys.shop.values = 'two': expected a list (OCHN_KEYS__SHOP__VALUES)"),
        ("OCHN_KEYS", '{"a":{"values":[]}}', "keys.a.values = []: expected at least 1 in the list (OCHN_KEYS)"),
    ],
)
def test_a_fault_of_the_environment_names_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert faults(tmp_path, '[admin]\ntoken = "short"') == [
        "admin.token = ***: expected 16 characters or more, such as `openssl rand -hex 32` prints",
        fault,
    ]


def test_a_setting_that_is_a_path_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCHN_LOG__KAFKA__SSL_CA_FILE", "/etc/ca.pem")
    assert json.loads(check(tmp_path, "").stdout)["settings"]["log"]["kafka"]["ssl_ca_file"] == "/etc/ca.pem"


def test_where_no_file_is_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["check-config"])
    assert "there is no ./ochn.toml and --config names none: 1 fault" in str(result.exception)


def test_a_warning_is_a_line_also_in_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "ochn.toml").write_text(HEAD)
    shown = CliRunner().invoke(app, ["check-config", f"--config={tmp_path}/ochn.toml"]).stdout
    assert "warning: no [destinations.<name>] is enabled: events are kept, and relayed nowhere\n" in shown


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('security_protocol = "SASL_SSL"', "log.kafka: sasl_username and sasl_password are required with SASL_SSL"),
        ('security_protocol = "SSL"\nssl_ca_file = "/gone/ca.pem"', "/gone/ca.pem: can't be used"),
    ],
)
def test_how_kafka_can_not_be_met_is_named(tmp_path: Path, content: str, told: str) -> None:
    (fault,) = faults(tmp_path, f'[log]\nkind = "kafka"\n[log.kafka]\n{content}')
    assert told in fault
