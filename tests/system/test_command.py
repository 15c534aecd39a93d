"""`ochn dev` as a person meets it: what it says, what it shows, what it takes while it runs, and how it ends."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import Product, get_json, wait_gone
from tests.system.outside import command, eventually, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(180), pytest.mark.xdist_group("system-command")]

STOP_SECONDS = 10.0  # from the signal to the end, as the issue wants it; a loaded machine gets more


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("command") / "data", ["--workers=2"]) as product:
        yield product
        assert "Traceback" not in "\n".join(product.process.lines)


def test_it_is_ready_and_says_where_everything_is(product: Product) -> None:
    lines = product.process.lines
    assert lines[0].startswith("ready")
    told = {line.removeprefix("ready").split()[0]: line for line in lines[:6]}
    assert list(told) == ["collector", "shop", "sandbox", "admin", "log", "try"]
    for name in ("shop", "sandbox", "admin"):
        (url,) = re.findall(r"http://\S+", told[name])
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.status == 200
    assert f"collector  {product.url}" in told["collector"]
    assert f"embedded, data in {product.data_dir}" in told["log"]
    assert get_json(f"{product.url}/health/ready")["status"] == "ready"


def test_the_curl_to_try_works_as_printed(product: Product) -> None:
    line = next(line for line in product.process.lines if line.split()[:1] == ["try"])
    done = subprocess.run(line.split(maxsplit=1)[1], shell=True, capture_output=True, text=True, check=True, timeout=30)
    uid = re.fullmatch(r'\{"status":"ok","success":true,"uid":"([0-9a-f]{64})"\}', done.stdout)
    assert uid is not None, done.stdout
    calls = eventually(lambda: [call for call in product.received("footprints") if call["path"] == "/jsapi/init"])
    assert calls[0]["body"] == {"appkey": "demo", "email": "ann@example.com"}
    shown = eventually(lambda: [line for line in product.process.lines if uid[1][:12] in line])
    assert "web.init" in shown[0]
    assert "footprints delivered" in shown[0]
    assert "netcore filtered (not_an_activity)" in shown[0]


def test_a_quarantined_one_is_shown_with_its_reason_and_the_way_to_look(product: Product) -> None:
    fields = {"appkey": "demo", "uid": "p-shown", "requestType": "action", "actionType": "feedback"}
    answer = form(product.port, "/jsapi/send", {**fields, "aditionalData[rating]": "11"})
    event = answer.headers["x-event-id"]
    shown = eventually(lambda: [line for line in product.process.lines if event in line])
    assert "quarantined: rating_out_of_range" in shown[0]
    out, _ = command(*re.findall(r"see: ochn (.+?)  ", shown[0] + "  ")[0].split(), f"--data-dir={product.data_dir}")
    assert event in out


def test_keys_are_taken_while_it_runs(product: Product) -> None:
    """Within five seconds, by every worker; a file that can't be read changes nothing."""
    config = product.data_dir / "dev.toml"
    before = config.read_text()
    assert form(product.port, "/jsapi/init", {"appkey": "newcomer"}).status == 403
    config.write_text(before + '\n[keys.newcomer]\nvalues = ["newcomer"]\n')
    assert eventually(lambda: taken(product, "newcomer"))
    config.write_text("keys = what?")
    assert eventually(lambda: [line for line in product.process.lines if "keys.not_reloaded" in line])
    assert taken(product, "newcomer")
    config.write_text(before)
    assert eventually(lambda: not taken(product, "newcomer"))
    assert taken(product, "demo")


def taken(product: Product, key: str) -> bool:
    """By whichever worker has the connection: asked often enough to meet both."""
    return all(form(product.port, "/jsapi/init", {"appkey": key}).status == 200 for _ in range(20))


def test_metrics_sum_the_workers_and_the_forwarder(product: Product) -> None:
    def counted(name: str, **labels: str) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{product.admin_port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [line for line in lines if line.startswith(name) and all(one in line for one in wanted)]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def delivered() -> float:
        return counted("ochn_outcomes_total", destination="footprints", outcome="delivered")

    def asked() -> float:
        """Where nobody else asks: a request is counted a moment after its answer, so the last test's may come yet."""
        return counted("ochn_requests_total", route="mobileapi_init", status="200")

    before, went = asked(), delivered()
    for n in range(10):
        form(product.port, "/mobileapi/init", {"appkey": "demo", "userEmail": f"metric{n}@example.com"})
    assert eventually(lambda: asked() == before + 10)
    assert eventually(lambda: delivered() >= went + 10)
    assert counted("ochn_events_total", verdict="accepted") >= 10
    assert counted("ochn_log_appended_total", topic="ochn.events") >= 10


def test_the_children_are_told_and_ready(product: Product) -> None:
    assert product.pids().keys() == {"collector-0", "collector-1", "forwarder", "sandbox"}
    assert get_json(f"http://127.0.0.1:{product.admin_port}/health/ready") == {"status": "ready"}


@pytest.mark.parametrize(("number", "fault"), [(signal.SIGINT, "503"), (signal.SIGTERM, "hang")], ids=["int", "term"])
def test_it_ends_in_order_and_a_second_start_goes_on(tmp_path: Path, number: int, fault: str) -> None:
    """What was taken while the vendors were away arrives after the next start: also while a call hangs at the end."""
    with Product(tmp_path / "data") as product:
        product.fault(destination="footprints", fault=fault)
        product.fault(destination="netcore", fault=fault)
        fields = {"appkey": "demo", "uid": "p-waits", "uType": "p", "requestType": "action", "actionType": "visit"}
        event = form(product.port, "/jsapi/send", fields).headers["x-event-id"]
        assert eventually(lambda: product.received("footprints"))
        children = product.pids()
        began = time.monotonic()
        product.process.popen.send_signal(number)
        assert product.process.popen.wait(4 * STOP_SECONDS) == 0
        assert time.monotonic() - began < 4 * STOP_SECONDS
        wait_gone(children.values(), deadline=0.5)
        product.process.lines.clear()
        product.process.start()
        again = eventually(lambda: [call for call in product.received("footprints") if call["status"] == 200])
        assert [call["headers"]["x-event-id"] for call in again] == [event]
        assert eventually(lambda: [call for call in product.received("netcore") if call["status"] == 200])
        assert product.process.stop() == 0
        assert "Traceback" not in "\n".join(product.process.lines)


@pytest.mark.parametrize("after", [0.6, 1.0, 1.4])
def test_a_signal_while_it_starts(tmp_path: Path, after: float) -> None:
    """Ended, and nobody left behind, however far it had come."""
    product = Product(tmp_path / "data")
    product.process.launch()
    try:
        time.sleep(after)
        assert product.process.stop() in (0, -signal.SIGTERM)  # it can't hear before it listens
    finally:
        product.process.end()
    assert eventually(lambda: not left_behind(tmp_path / "data"))
    assert "Traceback" not in "\n".join(product.process.lines)


def left_behind(data_dir: Path) -> list[int]:
    """Processes that were told to use this directory."""
    return [
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if os.fsencode(data_dir) in read(path)
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
