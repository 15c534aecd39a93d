"""`make loadtest`: its people come, are answered, and go to no other machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import ROOT
from tests.support.product import Product

pytestmark = pytest.mark.system

LOCUST = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--json"]


CALLS = {
    "GET /jsapi/omnichannel.js",
    "POST /jsapi/init",
    "POST /jsapi/send",
    "POST /mobileapi/init",
    "PUT /mobileapi/sensors",
}


def test_its_people_are_answered(tmp_path: Path) -> None:
    """For longer, when a busy machine let not all of them come."""
    came: set[str] = set()
    with Product(tmp_path / "data") as product:
        for seconds in (4, 16, 48):
            if came >= CALLS:
                break
            done = locust("--users=22", "--spawn-rate=22", f"--run-time={seconds}s", f"--host={product.url}")
            assert done.returncode == 0, done.stderr
            told = json.loads(done.stdout)
            assert sum(one["num_failures"] for one in told) == 0
            came = {f"{one['method']} {one['name'].split()[0]}" for one in told}
    assert came >= CALLS


def test_it_goes_to_no_other_machine() -> None:
    done = locust("--users=1", "--run-time=1s", "--host=http://shop.example")
    assert done.returncode != 0
    assert "load goes to loopback only" in done.stderr


def locust(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*LOCUST, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
