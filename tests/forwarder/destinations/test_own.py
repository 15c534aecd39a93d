"""A sixth destination, from a package of a user's own: the example, installed, configured, and driven by the engine."""

import hashlib
import hmac
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.errors import SettingsError
from base.settings import validate
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from forwarder.settings import ForwarderRoot
from forwarder.transport import MemoryTransport, Reply, Request
from ochn.explaining.rehearse import rehearse
from tests.forwarder.small import make_event
from tests.forwarder.stand import TOPICS
from tests.forwarder.world import World
from tests.support.events import NOW, send
from tests.support.house import ROOT
from tests.support.product import OCHN

EXAMPLE = ROOT / "examples" / "webhook"
WEBHOOK = {"kind": "webhook", "url": "https://sink.example/in", "secret": "canary", "batch_events": 4}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a package on the path as pip would: its entry point, and one module of its own."""

    def install(entry: str, source: str) -> None:
        module = entry.partition(":")[0]
        about = tmp_path / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[ochn.destinations]\n{module} = {entry}\n")
        (tmp_path / f"{module}.py").write_text(source)

    monkeypatch.syspath_prepend(str(tmp_path))
    return install


def installed(directory: Path) -> Path:
    """The example as pip puts it: its module, and beside it the entry point that its pyproject.toml declares."""
    declared = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]["ochn.destinations"]
    about, module = directory / "ochn_webhook-1.0.0.dist-info", directory / "ochn_webhook"
    about.mkdir(parents=True)
    module.mkdir()
    lines = "".join(f"{name} = {value}\n" for name, value in declared.items())
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: ochn-webhook\nVersion: 1.0.0\n")
    (about / "entry_points.txt").write_text(f"[ochn.destinations]\n{lines}")
    (module / "__init__.py").write_bytes((EXAMPLE / "ochn_webhook" / "__init__.py").read_bytes())
    return directory


@pytest.fixture
def webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(installed(tmp_path / "site")))
    yield
    sys.modules.pop("ochn_webhook", None)


def built(**more: Any) -> Destination:
    (destination,) = build_destinations(validate(ForwarderRoot, {"destinations": {"mine": {**WEBHOOK, **more}}}, "t"))
    return destination


def faults(destination: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        validate(ForwarderRoot, {"destinations": {"mine": destination}}, "test")
    return "\n".join(caught.value.faults)


@pytest.mark.usefixtures("webhook")
def test_the_documented_example_is_good_and_its_faults_are_told() -> None:
    (example,) = [
        block
        for block in re.findall(r"```toml\n(.*?)```", (ROOT / "docs/destinations/own.md").read_text(), re.DOTALL)
        if "[destinations" in block
    ]
    assert f"```toml\n{example}```" in (EXAMPLE / "README.md").read_text()
    (destination,) = build_destinations(validate(ForwarderRoot, tomllib.loads(example), "own.md"))
    assert (destination.name, destination.kind) == ("mine", "webhook")
    told = faults({**WEBHOOK, "url": "http://sink.example", "secret": "a canary", "kinds": ["sail"], "max": 1})
    for fault in (
        "destinations.mine.url = 'http://sink.example': expected https",
        "destinations.mine.secret = ***: expected the bare value",
        "destinations.mine.kinds.0 = 'sail': expected 'visit'",
        "destinations.mine.max: no such setting",
    ):
        assert fault in told
    assert "canary" not in told
    assert "'engagelab', 'webhook'" in faults({"kind": "zapier"})


@pytest.mark.parametrize(
    ("entry", "source", "told"),
    [
        ("broken:KIND", "import nothing_like_this", "broken can't be loaded (broken:KIND): ModuleNotFoundError"),
        ("empty:KIND", "", "empty can't be loaded (empty:KIND): AttributeError"),
        ("strange:KIND", "KIND = 7", "strange: strange:KIND is no forwarder.destinations.own.Kind"),
        (
            "other:KIND",
            "from forwarder.destinations.own import *\nKIND = Kind(DestinationSettings, print)",
            "other: its settings are no DestinationSettings whose kind is the literal 'other'",
        ),
    ],
)
def test_a_package_that_is_at_fault_is_named(
    package: Callable[[str, str], None], entry: str, source: str, told: str
) -> None:
    package(entry, source)
    assert told in faults({"kind": entry.partition(":")[0]})


@pytest.mark.anyio
@pytest.mark.usefixtures("webhook")
async def test_the_engine_brings_each_event_once_whatever_the_sink_answers(tmp_path: Path) -> None:
    """Refused in a batch, the poison is found and dies alone; a 429 and a 500 are tried again."""
    answers = [Reply(500), Reply(429, {"retry-after": "1"})]
    taken: list[str] = []

    def sink(request: Request) -> Reply:
        signature = hmac.new(b"canary", request.body, hashlib.sha256).hexdigest()
        assert request.headers["X-Signature"] == f"sha256={signature}"
        if answers:
            return answers.pop()
        events = orjson.loads(request.body)
        if any(event["data"].get("poison") for event in events):
            return Reply(422, {}, b"what is this?")
        taken.extend(event["id"] for event in events)
        return Reply(202)

    world = World(tmp_path / "world", built(kinds=["visit"]), MemoryTransport(sink))
    events = [make_event(number, f"v{number % 3}", poison=number == 5) for number in range(12)]
    filtered = make_event(20, "v1", "geo")
    await world.append(*events, filtered)
    await world.deliver()
    assert sorted(taken) == [event.id for event in events if not event.data["poison"]]
    letters = await world.standing(TOPICS.dead_letters.name)
    assert [(letter["id"], letter["reason"]) for letter in letters.values()] == [(events[5].id, "refused")]
    assert "canary" not in orjson.dumps(letters).decode()


@pytest.mark.usefixtures("webhook")
def test_it_is_rehearsed() -> None:
    says = [step["says"] for step in rehearse(built(), send("sale"), NOW)]
    assert says == ["events:", "delivered"]


def test_the_command_knows_what_is_installed(tmp_path: Path) -> None:
    config = tmp_path / "ochn.toml"
    config.write_text('profile = "dev"\n[destinations.mine]\n' + "".join(f"{k} = {v!r}\n" for k, v in WEBHOOK.items()))
    environ = {**os.environ, "PYTHONPATH": str(installed(tmp_path / "site"))}

    def ask(*arguments: str) -> str:
        asked = [*OCHN, *arguments, f"--config={config}"]
        return subprocess.run(asked, capture_output=True, text=True, check=True, env=environ, cwd=tmp_path).stdout

    checked = orjson.loads(ask("check-config", "--json"))
    assert (checked["ok"], checked["settings"]["destinations"]["mine"]["secret"]) == (True, "***")
    assert "https://sink.example/in" in ask("panel-checklist", "mine")
