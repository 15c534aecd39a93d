"""Many events, one answer, a verdict each."""

from pathlib import Path
from typing import Any

import pytest

from eventlog.errors import LogUnavailable
from tests.collector.inside import JSON, PickyLog, body_of, inside

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
