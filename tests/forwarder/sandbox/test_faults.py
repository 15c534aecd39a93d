"""Each fault, as a client meets it over a real connection."""

import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from forwarder.sandbox.faults import KINDS
from forwarder.sandbox.service import EXPIRED
from tests.support.ports import free_ports
from tests.support.sandbox import SandboxProcess

FORM = {"appkey": "demo", "mid": "p1", "lat": "1", "lon": "2"}


def call(sandbox: SandboxProcess, timeout: float = 30.0) -> httpx.Response:
    return httpx.put(f"{sandbox.url}/footprints/mobileapi/geo", data=FORM, timeout=timeout)


def last(sandbox: SandboxProcess) -> dict[str, Any]:
    return sandbox.received("footprints")[-1]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 413, 429, 500, 502, 503])
def test_a_status(sandbox: SandboxProcess, status: int) -> None:
    assert sandbox.fault(destination="footprints", fault=str(status), times=1).status_code == 200
    reply = call(sandbox)
    assert reply.status_code == status
    assert reply.json()["success"] is False
    assert reply.headers.get("retry-after") == ("1" if status == 429 else None)
    assert (last(sandbox)["status"], last(sandbox)["fault"], last(sandbox)["events"]) == (status, str(status), 0)
    assert call(sandbox).json() == {"success": True}


def test_any_status_with_any_retry_after(sandbox: SandboxProcess) -> None:
    date = "Sat, 21 Nov 2026 10:00:00 GMT"
    sandbox.fault(destination="footprints", fault="status", status=507, retry_after=date)
    assert (call(sandbox).status_code, call(sandbox).headers["retry-after"]) == (507, date)
    sandbox.no_faults()
    sandbox.fault(destination="footprints", fault=503, retry_after=7)
    assert call(sandbox).headers["retry-after"] == "7"


def test_success_false_is_a_200(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="success_false", times=1)
    reply = call(sandbox)
    assert (reply.status_code, reply.json()["success"], reply.json()["status"]) == (200, False, "error")


def test_garbage_is_no_json(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="garbage", times=1)
    reply = call(sandbox)
    assert (reply.status_code, reply.content[:6]) == (200, b"<html>")


def test_a_huge_body(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="huge", times=1)
    reply = call(sandbox)
    assert (reply.status_code, len(reply.content) > 64 * 1024 * 1024) == (200, True)
    assert orjson.loads(reply.content.lstrip())["success"] is False


def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with SandboxProcess(tmp_path, expired_tls_port=str(port)) as sandbox:
        url = f"https://127.0.0.1:{port}/footprints/mobileapi/geo"
        with pytest.raises(httpx.ConnectError, match="certificate has expired"):
            httpx.put(url, data=FORM, verify=ssl.create_default_context(cafile=str(EXPIRED)))
        assert sandbox.received("footprints") == []
        blind = ssl._create_unverified_context()
        assert httpx.put(url, data=FORM, verify=blind).json() == {"success": True}
        assert len(sandbox.received("footprints")) == 1, "it is the certificate, and nothing else"


@pytest.mark.parametrize(("fault", "error"), [("refuse", httpx.RemoteProtocolError), ("reset", httpx.ReadError)])
def test_a_broken_connection(sandbox: SandboxProcess, fault: str, error: type[Exception]) -> None:
    sandbox.fault(destination="footprints", fault=fault, times=1)
    with pytest.raises(error):
        call(sandbox)
    assert (last(sandbox)["status"], last(sandbox)["fault"]) == (0, fault)
    assert call(sandbox).status_code == 200


def test_hang_never_answers(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="hang", times=2)
    with pytest.raises(httpx.ReadTimeout):
        call(sandbox, timeout=0.5)
    sandbox.no_faults()
    sandbox.fault(destination="footprints", fault="hang", times=1, delay=0.2)
    with pytest.raises(httpx.ReadError):
        call(sandbox)
    assert last(sandbox)["status"] == 0


def test_slow_is_taken_before_it_is_answered(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="slow", times=1, delay=2)
    before = sandbox.counts()["footprints"]["events"]
    with pytest.raises(httpx.ReadTimeout):
        call(sandbox, timeout=0.5)
    assert sandbox.counts()["footprints"]["events"] == before + 1
    sandbox.fault(destination="footprints", fault="slow", times=1, delay=0.2)
    assert call(sandbox).json() == {"success": True}


def test_drip_comes_byte_by_byte(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="drip", times=1, delay=0.05)
    started = time.monotonic()
    with httpx.stream("PUT", f"{sandbox.url}/footprints/mobileapi/geo", data=FORM) as reply:
        pieces = list(reply.iter_raw())
    assert b"".join(pieces) == b'{"success":true}'
    assert len(pieces) > 2
    assert time.monotonic() - started > 0.5


def test_a_fault_has_its_time_its_path_and_its_destination(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="netcore", fault="500")
    sandbox.fault(destination="footprints", fault="500", path="/api/lead")
    assert call(sandbox).status_code == 200
    assert httpx.post(f"{sandbox.url}/footprints/api/lead").status_code == 500
    sandbox.no_faults()
    sandbox.fault(destination="footprints", fault="500", for_seconds=0.5)
    assert call(sandbox).status_code == 500
    deadline = time.monotonic() + 20
    while call(sandbox).status_code != 200:
        assert time.monotonic() < deadline


def test_two_orders_are_worked_off_in_turn(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="500", times=1)
    sandbox.fault(destination="footprints", fault="401", times=1)
    assert [call(sandbox).status_code for _ in range(3)] == [500, 401, 200]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ({"destination": "footprints", "fault": "earthquake"}, sorted(KINDS)),
        ({"destination": "nobody", "fault": "500"}, ["footprints", "netcore"]),
        ({"destination": "footprints"}, ["fault"]),
        ({"destination": "footprints", "fault": "status"}, ["status"]),
        ({"destination": "footprints", "fault": "500", "times": 0}, ["times"]),
        ({"destination": "footprints", "fault": "500", "tiems": 1}, ["tiems"]),
    ],
)
def test_an_order_that_makes_no_sense_is_told_what_does(
    sandbox: SandboxProcess, order: dict[str, Any], names: list[str]
) -> None:
    reply = sandbox.fault(**order)
    assert reply.status_code == 400
    assert [name for name in names if name not in reply.json()["message"]] == []
    assert httpx.get(f"{sandbox.url}/_sandbox/faults").json()["active"] == []


def test_faults_can_be_listed(sandbox: SandboxProcess) -> None:
    sandbox.fault(destination="footprints", fault="500", times=2)
    call(sandbox)
    listed = httpx.get(f"{sandbox.url}/_sandbox/faults").json()
    assert listed["active"] == [{"destination": "footprints", "fault": "500", "times": 2, "used": 1}]
    assert listed["kinds"] == KINDS
