"""`ochn explain` on what the vendor's samples hold: the calls it foretells are those that would be made, and it makes none.
And the other commands that need nothing running: check-config, keys, version, help."""

import json
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import click
import pytest
import typer
from typer.testing import CliRunner

from base.forms import FormLimits, nest
from ochn.cli import app
from ochn.serving.dev import dev_config
from tests.support.corpus import Sample, vendor_samples
from tests.support.house import ROOT
from tests.system.expected import SAMPLE_ACTIVITIES, SAMPLES
from tests.system.outside import command

pytestmark = pytest.mark.system

LIMITS = FormLimits(pairs=1000, key_bytes=1000, value_bytes=100_000, levels=10, index=100)


@pytest.fixture(scope="module")
def vendors() -> Iterator[socket.socket]:
    """Somebody who listens where the sandbox would."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def config(vendors: socket.socket, tmp_path: Path) -> Path:
    path = tmp_path / "ochn.toml"
    path.write_text(dev_config(vendors.getsockname()[1]))
    return path


def curl(sample: Sample) -> str:
    headers = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in sample.headers.items())
    return f"curl -X {sample.method} http://localhost:8080{sample.path} {headers} --data-raw {shlex.quote(sample.body)}"


def explained(config: Path, line: str, code: int = 0) -> dict[str, Any]:
    """In this process: starting one for each of 24 takes half a minute."""
    done = CliRunner().invoke(app, ["explain", f"--config={config}", "--json", line])
    assert done.exit_code == code, done.output
    answer: dict[str, Any] = json.loads(done.output)
    return answer


@pytest.mark.parametrize("sample", vendor_samples(), ids=lambda sample: sample.name)
def test_a_sample(config: Path, vendors: socket.socket, sample: Sample) -> None:
    answer = explained(config, curl(sample))
    (event,) = answer["events"]
    assert (answer["key"], event["verdict"], event["reasons"]) == ("vendor-samples", "accepted", [])
    *calls, outcome = event["destinations"]["footprints"]
    expected = SAMPLES[sample.name]
    assert [call["request"]["method"] for call in calls] == [expected.method]
    assert calls[0]["request"]["url"].endswith(f"/footprints{expected.path}")
    assert nest(parse_qsl(calls[0]["request"]["body"]), LIMITS) == expected.body
    assert outcome["says"] == "delivered"
    assert_activity(event["destinations"]["netcore"], sample.name)
    with pytest.raises(BlockingIOError):
        vendors.accept()


def assert_activity(steps: list[dict[str, Any]], name: str) -> None:
    activities = [activity for step in steps if "request" in step for activity in step["request"]["body"]]
    assert [activity["activity_name"] for activity in activities] == (["Visit"] if name in SAMPLE_ACTIVITIES else [])
    assert steps[-1]["says"].startswith("delivered" if name in SAMPLE_ACTIVITIES else "filtered (")
    assert "sandbox-netcore" not in json.dumps(steps)


def test_as_people_read_it(config: Path) -> None:
    sample = next(sample for sample in vendor_samples() if sample.name == "mobile-send-curl")
    out, _ = command("explain", f"--config={config}", curl(sample))
    for told in ("verdict  accepted", "visitor  a5c2dd6e", "foreign_id", '"brands"', "POST http://127.0.0.1:"):
        assert told in out
    assert "aditionalData%5Bbrands%5D%5B0%5D=Zara" in out
    assert "filtered" not in out


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("curl -d 'appkey=nobody' http://x/jsapi/init", "unknown_key"),
        ("curl -d 'appkey=demo' http://x/nowhere", "not_found"),
        ("curl http://x/jsapi/init", "wrong_method"),
        ("curl -H 'Content-Type: application/json' -d '{\"appkey\":' http://x/jsapi/init", "unreadable_body"),
    ],
)
def test_a_refused_one_says_why(config: Path, line: str, reason: str) -> None:
    refused = explained(config, line, code=1)["refused"]
    assert refused["reason"] == reason
    assert refused["message"] not in ("", reason)
    done = CliRunner().invoke(app, ["explain", f"--config={config}", line])
    assert done.exit_code == 1
    assert f"{reason}: {refused['message']}" in done.output


def test_what_is_no_request_is_told_so() -> None:
    _, err = command("explain", "hello", code=1)
    assert "neither a curl line nor a request" in err


def test_a_quarantined_one_says_why_and_goes_nowhere(config: Path) -> None:
    line = "curl -d 'appkey=demo&uid=p1&requestType=action&actionType=feedback&aditionalData[rating]=11' x/jsapi/send"
    (event,) = explained(config, line)["events"]
    assert (event["verdict"], event["reasons"], event["destinations"]) == ("quarantined", ["rating_out_of_range"], {})


def test_check_config_on_the_example_masks_its_secrets() -> None:
    out, _ = command("check-config", "--config=ochn.example.toml")
    assert "ochn.example.toml: no faults" in out
    assert "identity.secret" in out
    assert "replace-this-with" not in out
    answer = json.loads(command("check-config", "--json", "--config=ochn.example.toml")[0])
    assert answer["ok"] is True
    assert answer["settings"]["destinations"]["footprints"]["secret"] == "***"


def test_keys_where_nothing_is_configured_are_those_of_dev(tmp_path: Path) -> None:
    out, _ = command("keys", "list", cwd=tmp_path)
    assert "571e64183647a855d0sgf3a3" in out
    out, _ = command("keys", "snippet", "demo", "--url=https://track.example/", cwd=tmp_path)
    assert "var ochnkey = 'demo';" in out
    assert "js.src = 'https://track.example/jsapi/omnichannel.js'" in out
    out, _ = command("keys", "snippet", "demo", "--url=https://track.example", "--integrity", cwd=tmp_path)
    assert re.search(
        r'src="https://track.example/jsapi/omnichannel\.\w{20}\.js"\n  integrity="sha384-\S{64}" cross', out
    )
    _, err = command("keys", "snippet", "nobody", code=1, cwd=tmp_path)
    assert "vendor-samples, demo" in err


def test_keys_of_a_configuration() -> None:
    rows = [
        json.loads(line) for line in command("keys", "list", "--json", "--config=ochn.example.toml")[0].splitlines()
    ]
    assert [row["name"] for row in rows] == ["shop", "app"]
    assert rows[1]["surfaces"] == ["mobile"]


def test_version_is_the_packages() -> None:
    out, _ = command("version")
    assert f'version = "{out.strip()}"' in (ROOT / "pyproject.toml").read_text()


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, one in group.commands.items():
        if isinstance(one, click.Group):
            yield from commands(one, (*path, name))
        else:
            yield *path, name


ALL = list(commands(typer.main.get_command(app)))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(("ochn", *path)))
def test_each_commands_help_has_an_example(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert "Example: ochn" in said
    assert f"ochn {' '.join(path)}".strip() in said.split("Example: ")[1]
