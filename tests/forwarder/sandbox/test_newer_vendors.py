"""The sandboxed RAY, ExpertSender and EngageLab answer as their pages and contracts.md say, and break as ordered."""

import hashlib
import time
from typing import Any

import httpx
import pytest

from tests.support.sandbox import SandboxProcess

CLIENT = ("sandbox-ray", "sandbox-ray-secret")
GRANT = {"grant_type": "password", "username": "sandbox-user", "password": "sandbox-password"}
INTERACTION: dict[str, Any] = {
    "type": "PURCHASE",
    "subType": "STORE",
    "storeId": "sandbox-store",
    "source": "OTHER",
    "timestamp": "2026-11-21T10:00:00.000Z",
    "customProps": {},
    "user": {"email": "a@b.example"},
}
CUSTOM: dict[str, Any] = {"customEventId": 101, "customerEmail": "a@b.example"}
KEYS = ("sandbox-engagelab", "sandbox-engagelab-secret")


def token(sandbox: SandboxProcess) -> str:
    answer = httpx.post(f"{sandbox.url}/ray/oauth/token", data=GRANT, auth=CLIENT).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 6)
    return str(answer["access_token"])


def interact(sandbox: SandboxProcess, body: Any, bearer: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {bearer}"}
    reply = httpx.post(f"{sandbox.url}/ray/events/interaction", json=body, headers=headers)
    assert reply.status_code == 200
    return dict(reply.json())


def test_rays_tokens_end(sandbox: SandboxProcess) -> None:
    given = token(sandbox)
    before = sandbox.counts()["ray"]["events"]
    assert interact(sandbox, [INTERACTION] * 2, given) == {"message": "ok", "result": "success", "statusCode": 200}
    assert sandbox.counts()["ray"]["events"] == before + 2
    time.sleep(6.1)
    for forged in (given, "x", given[:-1]):
        answer = interact(sandbox, [INTERACTION], forged)
        assert (answer["result"], answer["statusCode"]) == ("error", 401)


@pytest.mark.parametrize(
    ("auth", "grant", "status"),
    [(("x", "y"), GRANT, 401), (CLIENT, {**GRANT, "password": "x"}, 400), (CLIENT, {"grant_type": "pin"}, 400)],
)
def test_ray_knows_its_users(
    sandbox: SandboxProcess, auth: tuple[str, str], grant: dict[str, str], status: int
) -> None:
    assert httpx.post(f"{sandbox.url}/ray/oauth/token", data=grant, auth=auth).status_code == status


def test_one_fault_refuses_rays_list(sandbox: SandboxProcess) -> None:
    user = INTERACTION["user"]
    changes: list[dict[str, Any]] = [{name: None} for name in INTERACTION]
    changes += [{"user": {"name": "a"}}, {"user": {**user, "gender": "female"}}, {"user": {**user, "country": "ro"}}]
    changes += [{"user": {**user, "birthDate": "1990-01-31"}}, {"timestamp": "2026-11-21T10:00:00Z"}]
    for change in changes:
        answer = interact(sandbox, [INTERACTION, {**INTERACTION, **change}], token(sandbox))
        assert (answer["result"], answer["statusCode"]) == ("error", 400), change
    assert interact(sandbox, [], token(sandbox))["statusCode"] == 400
    assert interact(sandbox, INTERACTION, token(sandbox))["statusCode"] == 400


def custom(sandbox: SandboxProcess, body: Any, path: str = "", key: str = "sandbox-expertsender") -> httpx.Response:
    url = f"{sandbox.url}/expertsender/scenariocustomevents{path}"
    return httpx.post(url, json=body, headers={"x-api-key": key})


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (CUSTOM, ""),
        ({"customEventId": 999, "customerPhone": "+48600123456"}, ""),
        ({**CUSTOM, "dataFields": [{"name": "Order ID", "type": "String", "value": "12345"}]}, ""),
        ({**CUSTOM, "dataFields": [{"name": "a", "type": "DateTime", "value": "2026-11-21T10:00:00"}]}, ""),
        ({"customEventId": 101, "segments": [1, 5, 15]}, "/withsegments"),
    ],
)
def test_expertsender_creates(sandbox: SandboxProcess, body: dict[str, Any], path: str) -> None:
    before = sandbox.counts()["expertsender"]["events"]
    reply = custom(sandbox, body, path)
    assert (reply.status_code, reply.content) == (201, b"")
    assert sandbox.counts()["expertsender"]["events"] == before + 1


@pytest.mark.parametrize(
    ("status", "body", "path"),
    [
        (400, {"customerEmail": "a@b.example"}, ""),
        (400, {**CUSTOM, "customEventId": 2**31}, ""),
        (400, {"customEventId": 101}, ""),
        (400, {"customEventId": 101, "customerPhone": "1" * 21}, ""),
        (400, {**CUSTOM, "dataFields": [{"name": "a", "type": "Number", "value": "ten"}]}, ""),
        (400, {**CUSTOM, "dataFields": [{"name": "a", "type": "Number", "value": 10}]}, ""),
        (400, {**CUSTOM, "dataFields": [{"name": "a", "type": "Colour", "value": "red"}]}, ""),
        (400, {"customEventId": 101, "segments": []}, "/withsegments"),
        (404, {**CUSTOM, "customEventId": 7}, ""),
        (404, {"customEventId": 101, "customerEmail": "nobody@unknown.example"}, ""),
        (404, {"customEventId": 101, "customerEmailMd5": hashlib.md5(b"nobody@unknown.example").hexdigest()}, ""),
        (404, {"customEventId": 101, "customerPhone": "+9991"}, ""),
        (404, {"customEventId": 101, "segments": [100]}, "/withsegments"),
        (404, CUSTOM, "/elsewhere"),
    ],
)
def test_expertsenders_problems(sandbox: SandboxProcess, status: int, body: dict[str, Any], path: str) -> None:
    reply = custom(sandbox, body, path)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.json()["status"] == status
    assert bool(reply.json().get("errors")) == (status == 400)


def test_expertsenders_key_and_verb(sandbox: SandboxProcess) -> None:
    assert custom(sandbox, CUSTOM, key="guess").status_code == 401
    assert httpx.put(f"{sandbox.url}/expertsender/scenariocustomevents").headers["allow"] == "POST"


def engage(sandbox: SandboxProcess, path: str, body: Any, auth: tuple[str, str] = KEYS) -> dict[str, Any]:
    reply = httpx.post(f"{sandbox.url}/engagelab/v1/{path}", json=body, auth=auth)
    assert reply.status_code == 200
    return dict(reply.json())


def euid(sandbox: SandboxProcess, value: str) -> int:
    found = engage(sandbox, "user/register", {"identity_name": "user_id", "identity_values": [value]})
    return int(found["data"][0]["euid"])


def reported(euid: int, **more: Any) -> dict[str, Any]:
    return {"euid": euid, "event_name": "visit", "itime": 1, "properties": {"a": "b"}, **more}


def test_engagelabs_chain(sandbox: SandboxProcess) -> None:
    one, other = euid(sandbox, "ann"), euid(sandbox, "bob")
    assert one == euid(sandbox, "ann") != other
    assert engage(sandbox, "user/contact", {"euid": one, "contacts": {"email": "a@b.example"}})["code"] == 0
    assert engage(sandbox, "event/report", {"data": [reported(one), reported(other)]})["code"] == 0
    assert engage(sandbox, "event/report", {"data": [reported(one), reported(5)]})["code"] == 0
    assert [(call["events"], call["dropped"]) for call in sandbox.received("engagelab")[-2:]] == [(2, 0), (1, 1)]


@pytest.mark.parametrize(
    ("code", "path", "body"),
    [
        (55106, "user/register", {"identity_name": "email", "identity_values": ["a"]}),
        (55107, "user/register", {"identity_name": "user_id", "identity_values": [""]}),
        (55101, "user/register", {"identity_name": "user_id", "identity_values": ["a"] * 101}),
        (55105, "user/register", {"identity_name": "user_id", "identity_values": ["a" * 257]}),
        (40007, "user/contact", {"contacts": {"email": "a"}}),
        (55108, "user/contact", {"euid": 5, "contacts": {"email": "a"}}),
        (55004, "user/contact", {"euid": 1001, "contacts": {}}),
        (55103, "user/contact", {"euid": 1001, "contacts": {"email": ""}}),
        (55004, "event/report", {"data": []}),
        (55004, "event/report", {"data": [reported(1001, itime="now")]}),
        (55102, "event/report", {"data": [reported(1001, event_name="Visit")]}),
        (55103, "event/report", {"data": [reported(1001, properties={"a": []})]}),
        (55108, "event/report", {"data": [reported(5)]}),
    ],
)
def test_engagelabs_codes(sandbox: SandboxProcess, code: int, path: str, body: dict[str, Any]) -> None:
    assert engage(sandbox, path, body)["code"] == code
    assert engage(sandbox, path, body, auth=("a", "b"))["code"] == 40050


def test_a_partial_success(sandbox: SandboxProcess) -> None:
    """EngageLab's page: "success or partial success"; who asks for EUIDs can see which part."""
    one = euid(sandbox, "ann")
    sandbox.fault(destination="engagelab", fault="partial")
    values = {"identity_name": "user_id", "identity_values": ["ann", "bob", "cid"]}
    answer = engage(sandbox, "user/register", values)
    assert (answer["code"], [row["identity_value"] for row in answer["data"]]) == (0, ["ann", "bob"])
    assert engage(sandbox, "event/report", {"data": [reported(one)] * 5}) == {"code": 0, "message": "success"}
    assert engage(sandbox, "event/report", {"data": [reported(one)]})["code"] == 0
    calls = sandbox.received("engagelab")[-3:]
    assert [(call["events"], call["dropped"], call["fault"]) for call in calls] == [
        (0, 1, "partial"),
        (3, 2, "partial"),
        (1, 0, "partial"),
    ]
    assert len(calls[1]["body"]["data"]) == 5, "kept is what came"


@pytest.mark.parametrize("vendor", ["ray", "expertsender", "engagelab"])
def test_faults_on_demand(sandbox: SandboxProcess, vendor: str) -> None:
    url = f"{sandbox.url}/{vendor}/x"
    for fault, status in (("503", 503), ("success_false", 200), ("garbage", 200)):
        sandbox.fault(destination=vendor, fault=fault, times=1)
        assert httpx.post(url).status_code == status
        assert sandbox.received(vendor)[-1]["fault"] == fault
    assert httpx.post(url).status_code == 404
