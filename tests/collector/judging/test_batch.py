"""Many events, one answer, a verdict each."""

import base64
from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import LogUnavailable
from tests.collector.inside import JSON, PickyLog, body_of, header, inside

pytestmark = pytest.mark.anyio

VISIT = {"call": "send", "uid": "v", "requestType": "action", "actionType": "visit"}


async def test_every_call_may_come_in_a_batch(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"call": "init", "email": "ana@example.com", "eid": "1"},
        {**VISIT, "eid": "2"},
        {"uid": "v", "requestType": "reach"},
        {"call": "register", "lead": {"userEmail": "ana@example.com"}},
        {"call": "geo", "mid": "m", "lat": 200, "lon": 2},
        {"call": "sensors", "mid": "m", "sensors": [{"uuid": "a"}]},
    ]
    async with inside(tmp_path) as house:
        reply = await house.send_json("/jsapi/batch", {"appkey": "demo", "events": events})
        stored, held = house.events(), house.quarantined()
    results = body_of(reply)["results"]
    assert [result["status"] for result in results] == ["accepted"] * 4 + ["quarantined", "accepted"]
    assert (results[0]["eid"], results[0]["uid"], results[1]["eid"]) == ("1", stored[0].subject, "2")
    assert results[4]["reason"] == "bad_location"
    assert [result["id"] for result in results] == [event.id for event in [*stored[:4], *held, stored[4]]]
    names = ["web.init", "web.visit", "web.reach", "web.register", "mobile.sensors"]
    assert [event.type for event in stored] == [f"ochn.{name}" for name in names]
    assert {event.door for event in stored} == {"/jsapi/batch"}
    assert "call" not in stored[1].data


async def test_a_phones_batch_answers_its_mobile_id(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        batch = {"events": [{"call": "init", "mid": "m"}, {**VISIT, "mid": "m"}]}
        results = body_of(await house.send_json("/mobileapi/batch", batch, appkey="demo"))["results"]
        assert results[0]["mobileId"] == "m"
        assert [event.type for event in house.events()] == ["ochn.mobile.init", "ochn.mobile.visit"]


async def test_a_form_may_hold_a_batch(tmp_path: Path) -> None:
    body = "appkey=demo&events[0][call]=init&events[0][pid]=v&events[1][uid]=v&events[1][requestType]=reach"
    async with inside(tmp_path) as house:
        assert [result["status"] for result in body_of(await house.send("/jsapi/batch", body))["results"]] == [
            "accepted",
            "accepted",
        ]


async def test_an_entry_may_be_the_form_of_its_call(tmp_path: Path) -> None:
    forms = [
        ("send", "uid=v&requestType=action&actionType=visit&aditionalData%5Bbrands%5D%5B0%5D=C%26A"),
        ("register", f"uid=v&lead%5BuserEmail%5D=ana%40example.com&lead%5Bcv%5D={'x' * 20_000}"),
        ("send", "uid=v&requestType=reach&utm%5Bsource%5D=%FF"),
        ("send", f"uid=v&requestType=reach&aditionalData%5Bdescription%5D={'x' * 20_000}"),
    ]
    events = [{"call": call, "form": form} for call, form in forms]
    async with inside(tmp_path) as house:
        results = body_of(await house.send_json("/jsapi/batch", {"appkey": "demo", "events": events}))["results"]
        visit, lead = house.events()
        held = house.quarantined()
    assert [result.get("reason") for result in results] == [None, None, "bad_text", "field_too_large"]
    assert visit.data["additionalData"] == {"brands": ["C&A"]}
    assert lead.data["lead"]["userEmail"] == "ana@example.com"
    assert base64.b64decode(held[0].data_base64 or "") == forms[2][1].encode()


async def test_what_names_no_visitor_is_of_the_one_whom_the_init_before_it_got(tmp_path: Path) -> None:
    visit = {"call": "send", "requestType": "action", "actionType": "visit"}
    events = [
        visit,
        {"call": "init"},
        visit,
        {**visit, "uid": "other"},
        {"call": "init", "email": "a@b.example"},
        visit,
    ]
    async with inside(tmp_path) as house:
        reply = await house.send_json("/jsapi/batch", {"appkey": "demo", "events": events})
        stored, held = house.events(), house.quarantined()
    results = body_of(reply)["results"]
    assert [event.quarantinereasons for event in held] == ["missing_visitor"]
    pid, uid = results[1]["pid"], results[4]["uid"]
    assert [event.subject for event in stored] == [pid, pid, "other", uid, uid]
    assert header(reply, "set-cookie").startswith(f"ochn_vid={uid};")
    assert [name for name, _ in reply.headers].count("set-cookie") == 1


async def test_an_init_that_is_sent_again_names_the_same_visitor(tmp_path: Path) -> None:
    async def asked(eid: str, key: str = "demo") -> str:
        return str(body_of(await house.send_json("/jsapi/init", {"appkey": key, "eid": eid}))["pid"])

    async with inside(tmp_path) as house:
        first = await asked("mi9a1b2c3d4e5f6g7")
        assert await asked("mi9a1b2c3d4e5f6g7") == first
        assert await asked("mi9a1b2c3d4e5f6g8") != first
        assert await asked("mi9a1b2c3d4e5f6g7", "shop") != first  # another tenant's
        assert await asked("1") != await asked("1")  # somebody's counter


async def test_consent_that_the_page_told(tmp_path: Path) -> None:
    told = [
        ("accepted", {}),
        ("maybe", {}),
        ("declined", {"cookie": "cookie_consent=accepted"}),
        ("declined", {"dnt": "1"}),
    ]
    async with inside(tmp_path) as house:
        for consent, headers in told:
            await house.send_json("/jsapi/send", {"appkey": "demo", **VISIT, "consent": consent}, **headers)
        recorded = [event.consent for event in house.events()]
    assert recorded == ["cookie=accepted", None, "cookie=accepted", "cookie=declined;dnt=1"]


async def test_the_batch_says_once_when_it_was_sent(tmp_path: Path) -> None:
    received = 1_800_000_000_000
    events = [{**VISIT, "ts": received - 90_000}, {**VISIT, "ts": received - 90_000, "sentAt": received - 80_000}]
    async with inside(tmp_path) as house:
        await house.send_json("/jsapi/batch", {"appkey": "demo", "sentAt": received - 60_000, "events": events})
        assert [event.time[11:19] for event in house.events()] == ["07:59:30", "07:59:50"]


async def test_an_entry_that_is_none_does_not_spoil_the_others(tmp_path: Path) -> None:
    body = b'{"appkey":"demo","events":[%s]}' % b",".join(
        [
            b'{"uid":"v","requestType":"reach"}',
            b"7",
            b'{"uid":"v","requestType":"reach","page":{"title":"\\ud800"}}',
            b'{"uid":"v","requestType":"reach","n":NaN}',
            b'{"call":"dance","uid":"v","requestType":"reach"}',
        ]
    )
    async with inside(tmp_path) as house:
        results = body_of(await house.send("/jsapi/batch", body, content_type=JSON))["results"]
        held = house.quarantined()
    reasons = [None, "bad_shape", "bad_text", "bad_number", "unknown_request_type"]
    assert [result.get("reason") for result in results] == reasons
    assert [event.data_base64 is None for event in held] == [False, False, False, True]
    assert held[3].data == {"call": "dance", "requestType": "reach"}


@pytest.mark.parametrize("events", [None, [], {}, "x", {"a": 1}])
async def test_a_batch_without_events(tmp_path: Path, events: Any) -> None:
    async with inside(tmp_path) as house:
        assert (await house.send_json("/jsapi/batch", {"appkey": "demo", "events": events})).status == 400
        assert house.log.topics == {}


async def test_a_batch_too_long_is_refused_whole(tmp_path: Path) -> None:
    async with inside(tmp_path, limits={"batch_events": 3}) as house:
        assert (await house.send_json("/jsapi/batch", {"appkey": "demo", "events": [VISIT] * 4})).status == 413
        assert (await house.send_json("/jsapi/batch", {"appkey": "demo", "events": [VISIT] * 3})).status == 200
        assert len(house.events()) == 3


async def test_a_batch_that_cannot_be_taken_apart_is_held_whole(tmp_path: Path) -> None:
    body = b"appkey=demo&events[0][uid]=v&events[0][requestType]=%FF"
    async with inside(tmp_path) as house:
        (result,) = body_of(await house.send("/jsapi/batch", body))["results"]
        (event,) = house.quarantined()
    assert (result["id"], result["reason"]) == (event.id, "bad_text")


async def test_what_is_not_stored_is_to_be_sent_again(tmp_path: Path) -> None:
    log = PickyLog(lambda record: LogUnavailable("away") if record.topic == "ochn.quarantine" else None)
    events = [VISIT, {"call": "geo", "mid": "m", "lat": 200, "lon": 2, "eid": "e"}]
    async with inside(tmp_path, writer=log) as house:
        reply = await house.send_json("/jsapi/batch", {"appkey": "demo", "events": events})
        stored, lost = body_of(reply)["results"]
        assert (reply.status, stored["status"], len(log.records)) == (200, "accepted", 1)
        assert {**lost, "id": ""} == {"eid": "e", "id": "", "status": "retry"}
        assert house.count("ochn_events_total", type="ochn.mobile.geo", verdict="quarantined") == 0


async def test_a_batch_of_which_nothing_is_stored_is_refused(tmp_path: Path) -> None:
    lead = {"call": "register", "lead": {"cv": {"name": "cv", "data": "x" * 1_000_000}}}
    async with inside(tmp_path) as house:
        house.log.outage = LogUnavailable("away")
        assert (await house.send_json("/jsapi/batch", {"appkey": "demo", "events": [VISIT, VISIT]})).status == 503
        house.log.outage = None
        (tmp_path / "files").write_text("a file where a folder should be")
        assert (await house.send_json("/jsapi/batch", {"appkey": "demo", "events": [VISIT, lead]})).status == 503
        assert house.log.topics == {}
        assert house.count("ochn_in_flight") == 0
