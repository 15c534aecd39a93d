"""The sandboxed Footprints answers as the vendor's page and contracts.md say."""

import time
from typing import Any

import httpx
import orjson
import pytest

from tests.support.corpus import vendor_samples
from tests.support.sandbox import SandboxProcess

KEY = "571e64183647a855d0sgf3a3"
SEND = {"appkey": KEY, "uid": "a5c2", "uType": "c", "actionType": "visit", "requestType": "action"}
MOBILE_SEND = {"appkey": KEY, "mid": "p93e", "actionType": "visit", "requestType": "action"}
SENSORS = {"appkey": KEY, "mid": "p93e", "sensors[0][uuid]": "4457-7784", "sensors[0][rssi]": "5461567"}
GEO = {"appkey": KEY, "mid": "p93e", "lat": "44.4", "lon": "26.0", "accuracy": "3"}


def post(sandbox: SandboxProcess, path: str, form: dict[str, str], method: str = "POST", **more: Any) -> httpx.Response:
    return httpx.request(method, f"{sandbox.url}/footprints{path}", data=form, **more)


def test_web_init_gives_a_pid_and_an_email_its_own_uid(sandbox: SandboxProcess) -> None:
    nobody = post(sandbox, "/jsapi/init", {"appkey": KEY}).json()
    again = post(sandbox, "/jsapi/init", {"appkey": KEY}).json()
    somebody = post(sandbox, "/jsapi/init", {"appkey": KEY, "email": "a@b.example"}).json()
    same = post(sandbox, "/jsapi/init", {"appkey": KEY, "email": "A@b.example"}).json()
    assert set(nobody) == {"status", "pid"}
    assert set(somebody) == {"status", "uid"}
    assert nobody["pid"] != again["pid"]
    assert somebody == same
    assert len(bytes.fromhex(somebody["uid"])) == len(bytes.fromhex(nobody["pid"])) == 32


@pytest.mark.parametrize("contact", ["userEmail", "pushNotificationToken"])
def test_mobile_init_wants_to_know_somebody(sandbox: SandboxProcess, contact: str) -> None:
    refused = post(sandbox, "/mobileapi/init", {"appkey": KEY, "userPhone": "0700"})
    assert (refused.status_code, refused.json()["status"]) == (200, "error")
    given = post(sandbox, "/mobileapi/init", {"appkey": KEY, contact: "x@y.example"}).json()
    assert given["status"] == "ok"
    assert len(bytes.fromhex(given["mobileId"])) == 32


@pytest.mark.parametrize(
    ("path", "form", "verbs", "answer"),
    [
        ("/jsapi/send", SEND, ["POST"], {}),
        ("/mobileapi/send", MOBILE_SEND, ["POST"], {}),
        ("/mobileapi/sensors", SENSORS, ["PUT", "POST"], {"success": True}),
        ("/mobileapi/geo", GEO, ["PUT", "POST"], {"success": True}),
    ],
)
def test_what_is_whole_is_taken(
    sandbox: SandboxProcess, path: str, form: dict[str, str], verbs: list[str], answer: object
) -> None:
    for verb in verbs:
        reply = post(sandbox, path, form, verb)
        assert (reply.status_code, reply.json()) == (200, answer)
    assert post(sandbox, path, form, "PATCH").status_code == 405
    assert post(sandbox, path, {**form, "appkey": "refused"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "form", "lacks"),
    [
        *[("/jsapi/send", SEND, name) for name in ("uid", "uType", "actionType")],
        *[("/mobileapi/send", MOBILE_SEND, name) for name in ("mid", "actionType")],
        *[("/mobileapi/geo", GEO, name) for name in ("mid", "lat", "lon")],
        ("/mobileapi/sensors", SENSORS, "mid"),
    ],
)
def test_what_lacks_something_is_not(sandbox: SandboxProcess, path: str, form: dict[str, str], lacks: str) -> None:
    reply = post(sandbox, path, {name: value for name, value in form.items() if name != lacks})
    assert reply.status_code == 400
    assert lacks in reply.json()["message"]


def test_an_ad_that_was_seen_needs_no_action(sandbox: SandboxProcess) -> None:
    form = {name: value for name, value in MOBILE_SEND.items() if name != "actionType"}
    assert post(sandbox, "/mobileapi/send", {**form, "requestType": "impression"}).status_code == 200


def test_the_vendors_own_bodies_are_taken(sandbox: SandboxProcess) -> None:
    """But for the one that its page posts to the wrong door."""
    for sample in vendor_samples():
        path = f"{sandbox.url}/footprints{sample.path}"
        reply = httpx.request(sample.method, path, headers=dict(sample.headers), content=sample.body)
        assert reply.status_code == (400 if sample.name == "mobile-sensors-ruby" else 200), sample.name


def token(sandbox: SandboxProcess, **form: str) -> httpx.Response:
    return post(sandbox, "/api/token", form, auth=("sandbox-key", "sandbox-secret"))


def test_a_lead_needs_a_token_that_still_holds(sandbox: SandboxProcess) -> None:
    given = token(sandbox, grant_type="client_credentials").json()
    assert given["token_type"] == "bearer"
    assert given["expires_in"] == 6
    query = {"access_token": given["access_token"]}
    lead = post(sandbox, "/api/lead", {"userEmail": "a@b.example", "agreeTandc": "true"}, params=query)
    assert len(bytes.fromhex(lead.json()["_id"])) == 12
    erased = post(sandbox, "/api/client", {"userExternalId": "7"}, "DELETE", params=query)
    assert erased.json() == {"status": "success"}
    deadline = time.monotonic() + 60
    while post(sandbox, "/api/lead", {}, params=query).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("forged", ["", "x" * 62, "ffffffffff" + "0" * 52])
def test_no_other_token_will_do(sandbox: SandboxProcess, forged: str) -> None:
    assert post(sandbox, "/api/lead", {}, params={"access_token": forged}).status_code == 401


@pytest.mark.parametrize(
    "form", [{"agreeTandc": "1"}, {"createdAt": "2026-11-21T10:00:00Z"}, {"timezone": "Mars/Base"}]
)
def test_a_lead_is_written_as_the_page_says(sandbox: SandboxProcess, form: dict[str, str]) -> None:
    query = {"access_token": token(sandbox, grant_type="client_credentials").json()["access_token"]}
    assert post(sandbox, "/api/lead", form, params=query).status_code == 400


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "password", "username": "u", "password": "p"}, 200),
        ({"grant_type": "password", "username": "u"}, 400),
        ({"grant_type": "pin", "pin": "1234567890"}, 200),
        ({"grant_type": "pin"}, 400),
        ({"grant_type": "magic"}, 400),
        ({}, 400),
    ],
)
def test_grants_want_their_fields(sandbox: SandboxProcess, form: dict[str, str], status: int) -> None:
    assert token(sandbox, **form).status_code == status


def test_wrong_credentials_get_no_token(sandbox: SandboxProcess) -> None:
    reply = post(sandbox, "/api/token", {"grant_type": "client_credentials"}, auth=("sandbox-key", "guess"))
    assert reply.status_code == 401


def test_what_arrived_can_be_read_nested(sandbox: SandboxProcess) -> None:
    last = sandbox.counts()["footprints"]["calls"]
    form = {**SEND, "aditionalData[brands][0]": "H&M", "aditionalData[brands][1]": "Zară"}
    post(sandbox, "/jsapi/send?x=1", form, headers={"X-Event-Id": "e-1"})
    post(sandbox, "/nowhere", {})
    call, lost = sandbox.received("footprints", after=last)
    assert call["body"] == {**SEND, "aditionalData": {"brands": ["H&M", "Zară"]}}
    assert (call["n"], call["method"], call["path"], call["status"]) == (last + 1, "POST", "/jsapi/send", 200)
    assert call["headers"]["x-event-id"] == "e-1"
    assert call["query"] == {"x": "1"}
    assert (lost["path"], lost["status"]) == ("/nowhere", 404)


def test_json_is_taken_as_the_sdk_sends_it(sandbox: SandboxProcess) -> None:
    body = orjson.dumps(MOBILE_SEND)
    headers = {"content-type": "application/json; charset=utf-8"}
    assert httpx.post(f"{sandbox.url}/footprints/mobileapi/send", content=body, headers=headers).json() == {}


def test_a_body_too_deep_to_keep_is_still_a_call(sandbox: SandboxProcess) -> None:
    last = sandbox.counts()["footprints"]["calls"]
    body = b'{"appkey":"demo","x":' + b"[" * 300 + b"]" * 300 + b"}"
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{sandbox.url}/footprints/jsapi/init", content=body, headers=headers).status_code == 200
    assert "deeper" in sandbox.received("footprints", after=last)[0]["body"]


def test_a_body_that_is_none_is_refused_and_kept(sandbox: SandboxProcess) -> None:
    last = sandbox.counts()["footprints"]["calls"]
    headers = {"content-type": "application/json"}
    reply = httpx.post(f"{sandbox.url}/footprints/jsapi/send", content=b'{"a":\xff', headers=headers)
    assert reply.status_code == 400
    assert sandbox.received("footprints", after=last)[0]["body"] == '{"a":\N{REPLACEMENT CHARACTER}'
