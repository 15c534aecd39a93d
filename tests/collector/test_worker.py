"""One collector process from start to end: what it serves, what it refuses to start on, how it leaves."""

import re
import socket
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import orjson
import pytest

from tests.collector.worker import CONFIG, by_uvicorn, failing, running
from tests.support.product import get_json


def post(port: int, path: str, body: str, timeout: float = 30.0) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


BOTH_WAYS = pytest.mark.parametrize("fast_lane", ["true", "false"])


@BOTH_WAYS
def test_an_event_from_first_to_last(tmp_path: Path, fast_lane: str) -> None:
    with running(tmp_path, OCHN_COLLECTOR__FAST_LANE=fast_lane) as worker:
        status, headers, body = post(worker.port, "/jsapi/init", "appkey=demo&email=ann@example.com")
        unknown = post(worker.port, "/jsapi/init", "appkey=nobody")
        ready = get_json(f"http://127.0.0.1:{worker.port}/health/ready")
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{worker.admin}/metrics").read().decode()
        shown = get_json(f"http://127.0.0.1:{worker.admin}/status")
        assert worker.process.stop() == 0
    assert status == 200
    assert orjson.loads(body).keys() >= {"status", "success", "uid"}
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", headers["x-event-id"])
    assert headers["x-event-status"] == "accepted"
    assert (unknown[0], unknown[1]["access-control-allow-origin"]) == (403, "*")
    assert ready["status"] == shown["status"] == "ready"
    assert 'ochn_requests_total{route="jsapi_init",status="200"} 1.0' in metrics
    assert 'ochn_refused_total{reason="unknown_key"} 1.0' in metrics


def test_a_media_type_nobody_reads(tmp_path: Path) -> None:
    with running(tmp_path) as worker:
        request = urllib.request.Request(
            f"http://127.0.0.1:{worker.port}/jsapi/send", b"<a/>", {"content-type": "application/xml"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 415
        refused.value.close()


def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as worker:
        second = failing(tmp_path)
    assert second.returncode == 3
    assert f"in use by another collector (process {worker.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        door, admin = failing(tmp_path, port=port), failing(tmp_path, admin=port)
    assert (door.returncode, admin.returncode) == (3, 3)
    assert f"can't listen on 127.0.0.1:{port} (collector.port): Address already in use" in door.stderr
    assert f"can't listen on 127.0.0.1:{port} (admin.port): Address already in use" in admin.stderr
    assert "Traceback" not in door.stderr + admin.stderr


def test_data_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "layout.json").write_text('{"version":2}')
    newer = failing(tmp_path)
    assert (newer.returncode, "newer version" in newer.stderr, "Traceback" in newer.stderr) == (3, True, False)


def test_every_fault_of_the_settings_at_once(tmp_path: Path) -> None:
    faulty = failing(tmp_path, OCHN_LOG__KIND="stone", OCHN_COLLECTOR__WORKERS="0")
    assert faulty.returncode == 2
    assert "log.kind = 'stone'" in faulty.stderr
    assert "collector.workers" in faulty.stderr


def test_keys_are_reloaded_while_it_runs(tmp_path: Path) -> None:
    with running(tmp_path) as worker:
        assert post(worker.port, "/jsapi/init", "appkey=new")[0] == 403
        worker.config.write_text(f'{CONFIG}[keys.new]\nvalues = ["new"]\n')
        began = time.monotonic()
        while post(worker.port, "/jsapi/init", "appkey=new")[0] != 200:
            assert time.monotonic() < began + 20, worker.process.lines
            time.sleep(0.05)
        worker.config.write_text("[keys")
        worker.process.wait_for('{"', 60)
        assert post(worker.port, "/jsapi/init", "appkey=new")[0] == 200
    assert any("keys.reloaded" in line for line in worker.process.lines)


@BOTH_WAYS
def test_who_has_asked_before_the_end_is_answered(tmp_path: Path, fast_lane: str) -> None:
    """A body still under way at SIGTERM is read, made durable and answered before the process goes, with exit code 0."""
    body = b"appkey=demo&email=ann@example.com"
    with (
        running(tmp_path, OCHN_COLLECTOR__FAST_LANE=fast_lane) as worker,
        socket.create_connection(("127.0.0.1", worker.port), 30) as late,
    ):
        late.sendall(b"POST /jsapi/init HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n")
        late.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:5]))
        assert post(worker.port, "/jsapi/init", "appkey=demo")[0] == 200  # who came after it is answered: it is read
        codes: list[int] = []
        ending = threading.Thread(target=lambda: codes.append(worker.process.stop()))
        ending.start()
        wait_until_refused(worker.port)
        with pytest.raises(urllib.error.HTTPError) as unready:
            get_json(f"http://127.0.0.1:{worker.admin}/health/ready")
        late.sendall(body[5:])
        answer = late.makefile("rb").read()
        ending.join()
    with unready.value as told:
        assert (told.code, orjson.loads(told.read())["status"]) == (503, "draining")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"uid"' in answer
    assert codes == [0]


def test_a_body_that_never_comes_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with (
        running(tmp_path, OCHN_COLLECTOR__DRAIN_SECONDS=1) as worker,
        socket.create_connection(("127.0.0.1", worker.port), 30) as idle,
    ):
        idle.sendall(b"POST /jsapi/init HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nappkey")
        assert post(worker.port, "/jsapi/init", "appkey=demo")[0] == 200  # who came after it is answered: it is read
        assert worker.process.stop() == 0


def test_another_server_may_serve_it(tmp_path: Path) -> None:
    """`uvicorn collector.app:app`; its workers share the data directory, the supervisor and `python -m collector` don't."""
    with by_uvicorn(tmp_path) as (port, admin):
        assert post(port, "/jsapi/init", "appkey=demo")[0] == 200
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics").read().decode()
        assert 'ochn_requests_total{route="jsapi_init",status="200"} 1.0' in metrics
        assert failing(tmp_path).returncode == 3
        with by_uvicorn(tmp_path, "--workers", "2") as (other, _):
            assert post(other, "/jsapi/init", "appkey=demo")[0] == 200


def wait_until_refused(port: int, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError(f"port {port} still lets people in")
