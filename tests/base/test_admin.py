import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from base.admin import admin_beside, beside, build_admin, summed
from base.errors import StartError
from base.serving import listen
from base.settings import AdminSettings
from tests.collector.wire import ask, request, served

pytestmark = pytest.mark.anyio


def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("ochn_things", "Things.", registry=registry).inc(3)
    return registry


async def test_metrics_health_and_status() -> None:
    app = build_admin(registry(), lambda: {"lag": 7}, lambda: (503, {"status": "down"}))
    async with served(app) as port:
        metrics, live, ready, status = [
            await ask(port, request("GET", path)) for path in ("/metrics", "/health/live", "/health/ready", "/status")
        ]
    assert b"ochn_things_total 3.0" in metrics.body
    assert metrics.headers["content-type"].startswith("text/plain")
    assert (live.status, live.json()) == (200, {"status": "live"})
    assert (ready.status, ready.json()) == (503, {"status": "down"})
    assert status.json() == {"lag": 7}


async def test_it_serves_beside_and_ends_with_its_service() -> None:
    with listen("127.0.0.1", 0, "test") as probe:
        port: int = probe.getsockname()[1]
        with pytest.raises(StartError, match=f"127.0.0.1:{port} \\(admin.port\\)"):
            async with admin_beside(build_admin(registry(), dict), AdminSettings(), port):
                pass
    async with admin_beside(build_admin(registry(), dict), AdminSettings(port=port), 1):
        assert (await ask(port, request("GET", "/health/live"))).status == 200
    with listen("127.0.0.1", port, "test"):
        pass


def test_the_default_port_is_a_thousand_above() -> None:
    assert [beside(8080), beside(65_000)] == [9080, 64_000]


def test_one_process_shows_its_own_counts() -> None:
    own = registry()
    assert summed(own, {}) is own


def test_processes_that_count_into_one_directory_are_summed(tmp_path: Path) -> None:
    counting = "from prometheus_client import Counter; Counter('ochn_things', 'Things.').inc(3)"
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", counting], env=environ, check=True)
    every = summed(CollectorRegistry(), {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    assert every.get_sample_value("ochn_things_total") == 6
