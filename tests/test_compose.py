"""docker-compose.yml and the Dockerfile fit each other, the settings and the Kafka that the tests use."""

import contextlib
import re
import socket
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest
import yaml

from base.settings import load
from ochn.config import Settings
from tests.support.house import ROOT

TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": ["image"]}, {"required": ["build"]}],
    "properties": {
        "image": {"type": "string", "pattern": r"^[a-z0-9]+(/[a-z0-9-]+)?:[\w.-]+$"},
        "build": {"const": "."},
        "command": TEXTS,
        "environment": {"type": "object", "additionalProperties": TEXT},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[\w./-]+:/[\w./-]+(:ro)?$"}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^\d+:\d+$"}},
        "depends_on": TEXTS,
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {"test": TEXTS, "interval": TEXT, "timeout": TEXT, "start_period": TEXT},
        },
        "read_only": {"const": True},
        "tmpfs": TEXTS,
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "restart": {"enum": ["unless-stopped"]},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
    },
}
COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services", "volumes"],
    "properties": {
        "services": {"type": "object", "additionalProperties": SERVICE},
        "volumes": {"type": "object", "additionalProperties": {"type": "null"}},
    },
}


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_its_shape_is_composes(compose: Any) -> None:
    jsonschema.validate(compose, COMPOSE)
    assert compose["services"].keys() == {"kafka", "collector", "forwarder"}


def test_a_misspelt_key_is_found(compose: Any) -> None:
    compose["services"]["collector"]["port"] = ["8080:8080"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose, COMPOSE)


def test_what_it_refers_to_is_there(compose: Any) -> None:
    services = compose["services"]
    assert {name for service in services.values() for name in service.get("depends_on", [])} <= services.keys()
    mounted = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert {name for name in mounted if not name.startswith("./")} == compose["volumes"].keys()
    assert {name for name in mounted if name.startswith("./")} == {"./ochn.toml"}


@pytest.mark.parametrize("name", ["collector", "forwarder"])
def test_what_faces_the_world_may_write_only_its_data(compose: Any, name: str) -> None:
    service = compose["services"][name]
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
    assert writable == [f"{name}-data:/data"]
    assert all(not port.startswith("9") for port in service.get("ports", [])), "the admin address is nobody's outside"


@pytest.mark.parametrize("name", ["collector", "forwarder"])
def test_its_environment_is_good_settings(compose: Any, name: str) -> None:
    given = compose["services"][name]["environment"]
    environ = {name: re.sub(r"\$\{.*\}", "5" * 64, value) for name, value in given.items() if name != "OCHN_CONFIG"}
    settings = load(Settings, environ | image_environment(), ROOT / "ochn.example.toml")
    assert (settings.log.kind, settings.log.kafka.bootstrap) == ("kafka", "kafka:9092")
    assert (settings.collector.host, settings.collector.port) == ("0.0.0.0", 8080)
    assert str(settings.data_dir) == "/data"


def test_the_tests_use_the_same_kafka(compose: Any) -> None:
    version = ET.parse(ROOT / "scripts" / "kafka-jars" / "pom.xml").findtext("properties/kafka.version")
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{version}"


def test_the_image_runs_as_nobody_special_and_tells_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert any(line.startswith("HEALTHCHECK") and "scripts/healthy" in line for line in lines)
    assert "!scripts/healthy" in (ROOT / ".dockerignore").read_text().splitlines()
    assert (ROOT / "scripts" / "healthy").stat().st_mode & 0o111


@pytest.mark.parametrize(("answered", "code"), [(200, 0), (503, 1), (None, 1)])
def test_healthy_is_who_answers_200(answered: int | None, code: int) -> None:
    with answering(answered) as port:
        command = [str(ROOT / "scripts" / "healthy"), str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


@contextlib.contextmanager
def answering(status: int | None) -> Iterator[int]:
    """A port that answers one connection with that status, or hangs up on it."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                if status:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 %d any\r\nContent-Length: 0\r\n\r\n" % status)

        pool.submit(answer)
        yield server.getsockname()[1]


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(OCHN_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
