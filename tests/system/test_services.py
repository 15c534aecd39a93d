"""Collector, forwarder and sandbox each by itself, in each way there is to start them, on one data directory."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_ports
from tests.support.product import OCHN, Process, get_json
from tests.system.outside import eventually, form, request

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

PYTHON = [sys.executable, "-m"]
Ways = dict[str, Sequence[str]]
COMMANDS: Ways = {name: [*OCHN, name] for name in ("collector", "forwarder", "sandbox")}
MODULES: Ways = {
    "collector": [*PYTHON, "collector"],
    "forwarder": [*PYTHON, "forwarder"],
    "sandbox": [*PYTHON, "forwarder.sandbox"],
}


class Services:
    """Told everything by the environment, as containers are."""

    def __init__(self, directory: Path) -> None:
        self.port, self.sandbox_port, *admin_ports = free_ports(5)
        self.admin = dict(zip(("collector", "forwarder", "sandbox"), admin_ports, strict=True))
        sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        (directory / "secret").write_text("sandbox-netcore\n")
        self._told = {
            "OCHN_PROFILE": "production",
            "OCHN_IDENTITY__SECRET": "a-secret-of-this-test-0123456789abcdef",
            "OCHN_DATA_DIR": str(directory / "data"),
            "OCHN_KEYS__SHOP__VALUES": '["demo"]',
            "OCHN_COLLECTOR__PORT": str(self.port),
            "OCHN_SANDBOX__PORT": str(self.sandbox_port),
            "OCHN_DESTINATIONS__FP__KIND": "footprints",
            "OCHN_DESTINATIONS__FP__BASE_URL": f"{sandbox}/footprints",
            "OCHN_DESTINATIONS__NC__KIND": "netcore",
            "OCHN_DESTINATIONS__NC__BASE_URL": f"{sandbox}/netcore",
            "OCHN_DESTINATIONS__NC__API_KEY_FILE": str(directory / "secret"),
            "OCHN_DESTINATIONS__NC__WEB_ASSET_ID": "web-asset",
        }

    @contextmanager
    def started(self, name: str, command: Sequence[str]) -> Iterator[Process]:
        """`name` of three; ended in order, without a traceback."""
        environ = {**self._told, "OCHN_ADMIN__PORT": str(self.admin[name])}
        process = Process(command, environ)
        process.launch()
        try:
            yield process
            assert process.stop() == 0, "\n".join(process.lines)
            assert "Traceback" not in "\n".join(process.lines)
        finally:
            process.end()

    def live(self, port: int) -> bool:
        try:
            return request(port, "GET", "/health/live").status == 200
        except OSError:
            return False

    def counts(self, name: str, metric: str) -> bool:
        """One of it."""
        return f"ochn_{metric} 1.0" in request(self.admin[name], "GET", "/metrics").body.decode()

    def arrived(self, destination: str) -> int:
        url = f"http://127.0.0.1:{self.sandbox_port}/_sandbox/counts"
        return int(get_json(url)[destination]["events"])


@pytest.mark.parametrize("ways", [COMMANDS, MODULES], ids=["ochn", "python-m"])
def test_three_services_and_an_events_way(ways: Ways, tmp_path: Path) -> None:
    services = Services(tmp_path)
    with ExitStack() as stack:
        started = {name: stack.enter_context(services.started(name, ways[name])) for name in ways}
        for name, process in started.items():
            if name != "sandbox" or ways is COMMANDS:
                process.wait_for("ready", 60.0)
        assert eventually(lambda: services.live(services.admin["collector"]))
        assert eventually(lambda: services.live(services.admin["forwarder"]))
        visit(services)
        assert eventually(lambda: services.counts("collector", 'requests_total{route="jsapi_send",status="200"}'))
        delivered = 'outcomes_total{destination="nc",outcome="delivered",reason=""}'
        assert eventually(lambda: services.counts("forwarder", delivered))  # a moment after it has arrived


def visit(services: Services) -> None:
    """Answered without the warnings of `ochn dev`, and delivered."""
    fields = {"appkey": "demo", "uid": "p1", "uType": "p", "requestType": "action", "actionType": "visit"}
    answer = form(services.port, "/jsapi/send", fields)
    assert (answer.status, answer.json(), answer.headers["x-event-status"]) == (200, {}, "accepted")
    assert eventually(lambda: services.arrived("footprints") == services.arrived("netcore") == 1)


def test_the_collector_as_an_asgi_application(tmp_path: Path) -> None:
    """Under a server that is not ours, as many workers as that is told; what they took, a forwarder that comes later relays."""
    services = Services(tmp_path)
    uvicorn = [*PYTHON, "uvicorn", "collector.app:app", f"--port={services.port}", "--workers=2"]
    with services.started("sandbox", COMMANDS["sandbox"]) as sandbox, services.started("collector", uvicorn):
        sandbox.wait_for("ready", 60.0)
        assert eventually(lambda: services.live(services.port))
        assert eventually(lambda: services.live(services.admin["collector"]))
        for n in range(10):
            assert form(services.port, "/jsapi/init", {"appkey": "demo", "email": f"asgi{n}@example.com"}).status == 200
        with services.started("forwarder", MODULES["forwarder"]):
            assert eventually(lambda: services.arrived("footprints") == 10)


def test_an_asgi_application_that_can_not_start_says_why(tmp_path: Path) -> None:
    environ = {"OCHN_DATA_DIR": str(tmp_path / "data"), "OCHN_PROFILE": "production"}
    process = Process([*PYTHON, "uvicorn", "collector.app:app", f"--port={free_ports(1)[0]}"], environ)
    process.launch()
    try:
        assert process.popen.wait(60.0) != 0
    finally:
        process.end()
    said = "\n".join(process.lines)
    assert "secret is required unless profile" in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
