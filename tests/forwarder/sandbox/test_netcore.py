"""The sandboxed Netcore answers as its page and contracts.md say."""

from typing import Any

import httpx
import pytest

from tests.support.sandbox import SandboxProcess

ACTIVITY = {
    "activity_name": "Visit",
    "asset_id": "web-asset",
    "timestamp": "2026-11-21T10:00:00Z",
    "identity": "a@b.example",
    "activity_source": "web",
    "activity_params": {},
}
BEARER = {"Authorization": "Bearer sandbox-netcore"}


def upload(sandbox: SandboxProcess, activities: Any, method: str = "POST", **headers: str) -> httpx.Response:
    url = f"{sandbox.url}/netcore/v1/activity/upload"
    return httpx.request(method, url, json=activities, headers=headers or BEARER)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"identity": 40712},
        {"identity": None, "annonid": "v1"},
        {"identity": None, "anonid": "v1"},
        {"timestamp": "2020-04-28T16:47:37"},
        {"timestamp": "2021-12-29T06:12:28+05:30"},
        {"activity_source": "app", "asset_id": "app-asset"},
        {"activity_params": {"items": [{"price": 250.1}]}},
    ],
)
def test_what_is_whole_is_taken(sandbox: SandboxProcess, change: dict[str, Any]) -> None:
    reply = upload(sandbox, [{**ACTIVITY, **change}])
    assert (reply.status_code, reply.json()) == (200, {"status": "success"})


@pytest.mark.parametrize(
    "change",
    [
        *[{name: None} for name in ACTIVITY],
        {"activity_name": ""},
        {"asset_id": "another"},
        {"activity_source": "tv"},
        {"timestamp": "yesterday"},
        {"timestamp": "2026-02-30T10:00:00Z"},
        {"timestamp": "2026-11-21T10:00:00.123Z"},
        {"activity_params": []},
    ],
)
def test_one_fault_refuses_the_batch(sandbox: SandboxProcess, change: dict[str, Any]) -> None:
    last = sandbox.counts()["netcore"]
    reply = upload(sandbox, [ACTIVITY, {**ACTIVITY, **change}])
    assert reply.status_code == 400
    assert "Parameter - " in reply.json()["message"]
    assert sandbox.counts()["netcore"]["events"] == last["events"]


def test_up_to_a_thousand(sandbox: SandboxProcess) -> None:
    before = sandbox.counts()["netcore"]["events"]
    assert upload(sandbox, [ACTIVITY] * 1000).status_code == 200
    assert upload(sandbox, [ACTIVITY] * 1001).status_code == 400
    assert upload(sandbox, []).status_code == 400
    assert upload(sandbox, ACTIVITY).status_code == 400
    assert sandbox.counts()["netcore"]["events"] == before + 1000


@pytest.mark.parametrize("params", [{"brands": []}, {"items": [{"tags": []}]}])
def test_an_empty_array_is_dropped_with_a_smile(sandbox: SandboxProcess, params: dict[str, Any]) -> None:
    before = sandbox.counts()["netcore"]
    reply = upload(sandbox, [ACTIVITY, {**ACTIVITY, "activity_params": params}])
    assert reply.json() == {"status": "success"}
    (call,) = sandbox.received("netcore", after=before["calls"])
    assert (call["events"], call["dropped"]) == (1, 1)
    assert sandbox.counts()["netcore"]["dropped"] == before["dropped"] + 1


def test_the_key_comes_in_either_header(sandbox: SandboxProcess) -> None:
    assert upload(sandbox, [ACTIVITY], **{"api-key": "sandbox-netcore"}).status_code == 200
    assert upload(sandbox, [ACTIVITY], Authorization="Bearer guess").status_code == 401
    assert upload(sandbox, [ACTIVITY], **{"x-nothing": "1"}).status_code == 401


def test_one_path_one_verb(sandbox: SandboxProcess) -> None:
    reply = upload(sandbox, [ACTIVITY], "PUT")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert httpx.post(f"{sandbox.url}/netcore/v2").status_code == 404
