"""An arrival in; a durable event and the answer that contracts.md has, out."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from base.reasons import Refusal
from collector.replies import STATUS, refusal_reply
from eventlog.errors import LogUnavailable
from eventlog.event import MAX_BYTES
from tests.collector.inside import body_of, header, inside
from tests.support.corpus import sdk_session, vendor_samples

pytestmark = pytest.mark.anyio

HEX_64 = 64
ANSWERS: dict[str, Any] = {
    "web-send": {},
    "mobile-send": {"success": True, "message": "Track saved"},
    "mobile-sensors": {"success": True},
    "mobile-geo": {"success": True},
}


async def test_the_vendors_samples_are_answered_as_their_page_says(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        for sample in vendor_samples():
            reply = await house.send(sample.path, sample.body, sample.method)
            answer = body_of(reply)
            assert (reply.status, header(reply, "x-event-status")) == (200, "accepted"), sample.name
            if sample.call.endswith("init"):
                name = "uid" if sample.call == "web-init" else "mobileId"
                assert list(answer) == ["status", "success", name]
                assert len(answer[name]) == HEX_64
            else:
                assert answer == ANSWERS[sample.call], sample.name
        assert len(house.events()) == 24
        assert house.quarantined() == []


async def test_what_the_samples_hold_is_stored_under_its_own_name(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        stored = {}
        for sample in vendor_samples():
            await house.send(sample.path, sample.body, sample.method)
            stored[sample.name] = house.events()[-1]
    visit = {"brands": ["Zara", "Adidas"], "tenants": ["H&M", "C&A"]}
    for language in ("curl", "node", "php", "ruby"):
        assert stored[f"web-init-{language}"].data == {"email": "test.email@test.com"}
        assert stored[f"web-send-{language}"].type == "ochn.web.visit"
        assert stored[f"web-send-{language}"].data["additionalData"] == visit
        assert stored[f"mobile-geo-{language}"].data == {"lat": "44.432149", "lon": "26.088868", "accuracy": "3"}
    assert stored["mobile-init-node"].data == {"email": "test.email@test.com", "pushNotificationToken": "123456"}
    assert stored["mobile-sensors-node"].data["sensors"][0]["rssi"] == "5461567"
    assert [sensor["name"] for sensor in stored["mobile-sensors-curl"].data["sensors"]] == ["mimi", "cici"]
    rerouted = stored["mobile-sensors-ruby"]
    assert (rerouted.type, rerouted.door, rerouted.rerouted) == ("ochn.mobile.visit", "/mobileapi/sensors", True)
    assert {event.foreignid for name, event in stored.items() if "init" not in name} == {True}


async def test_the_sdks_session_is_accepted_whole(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        mid, session = "", sdk_session()
        for sample in session:
            given = sample.with_mid(mid)
            headers = {name.lower().replace("-", "_"): value for name, value in given.headers.items()}
            reply = await house.send(given.path, given.body, given.method, **headers)
            answer = body_of(reply)
            assert (reply.status, answer["success"]) == (200, True), sample.name
            assert header(reply, "x-event-status") == "accepted", sample.name
            mid = mid or answer.get("mobileId", "")
        assert len(house.events()) == len(session)


async def test_an_event_says_where_it_comes_from(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        arrival = house.arrival(
            "/jsapi/send/",
            "appkey=shop&uid=v1&uType=p&requestType=action&actionType=visit&eid=e-1&ts=1799999990000&sentAt=1799999995000",
            origin="https://shop.example",
            user_agent="Browser/1",
            cookie="a=b; cookie_consent=accepted",
            sec_gpc="1",
            dnt="0",
        )
        reply = await house.take(arrival)
        (event,) = house.events()
    assert header(reply, "x-event-id") == event.id == arrival.event_id
    assert (event.tenant, event.appkeyname, event.door) == ("shop", "shop", "/jsapi/send")
    assert (event.originverdict, event.consent) == ("allowed", "cookie=accepted;gpc=1;dnt=0")
    assert (event.clientaddress, event.useragent, event.clienteventid) == ("192.0.2.7", "Browser/1", "e-1")
    assert (event.clienttime, event.senttime) == ("2027-01-15T07:59:50.000Z", "2027-01-15T07:59:55.000Z")
    assert (event.time, event.receivedtime) == ("2027-01-15T07:59:55.000Z", "2027-01-15T08:00:00.000Z")
    assert event.data == {"uType": "p", "requestType": "action", "actionType": "visit"}


async def test_records_carry_the_visitor_or_the_event_as_their_key(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        await house.send("/mobileapi/geo", "appkey=demo&mid=v1&lat=1&lon=2")
        bad = await house.send("/mobileapi/geo", "appkey=demo&mid=v1&lat=200&lon=2")
        (good_record,) = house.log.topics["ochn.events"][0].records
        (bad_record,) = house.log.topics["ochn.quarantine"][0].records
    assert (good_record.key, bad_record.key) == (b"v1", header(bad, "x-event-id").encode())


@pytest.mark.parametrize(
    ("path", "body", "headers", "refusal"),
    [
        ("/jsapi/nowhere", "appkey=demo", {}, Refusal.NOT_FOUND),
        ("/jsapi/send", "", {}, Refusal.UNKNOWN_KEY),
        ("/jsapi/send", "appkey=nobody&uid=1", {}, Refusal.UNKNOWN_KEY),
        ("/jsapi/send", "{{{", {"content_type": "application/json"}, Refusal.UNREADABLE_BODY),
        ("/jsapi/send", '["demo"]', {"content_type": "application/json"}, Refusal.UNREADABLE_BODY),
        ("/jsapi/send", "appkey=demo", {"content_encoding": "gzip"}, Refusal.UNREADABLE_BODY),
        ("/jsapi/send", "appkey=demo", {"content_encoding": "br"}, Refusal.UNSUPPORTED_MEDIA),
        ("/jsapi/send", "appkey=demo", {"content_type": "image/png"}, Refusal.UNSUPPORTED_MEDIA),
        ("/jsapi/batch", "appkey=demo", {}, Refusal.UNREADABLE_BODY),
    ],
)
async def test_refusals(tmp_path: Path, path: str, body: str, headers: dict[str, str], refusal: Refusal) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send(path, body, **headers)
        answer = body_of(reply)
        assert reply.status == STATUS[refusal]
        assert (answer["status"], answer["success"], answer["reason"]) == ("error", False, refusal)
        assert house.count("ochn_refused_total", reason=refusal) == 1
        assert house.count("ochn_in_flight") == 0
        assert house.log.topics == {}


async def test_a_wrong_method_is_told_the_right_ones(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send("/jsapi/send", "appkey=demo", method="GET")
    assert (reply.status, header(reply, "allow")) == (405, "OPTIONS, POST, PUT")


def test_each_refusal_has_a_status_and_something_to_do() -> None:
    for refusal in Refusal:
        reply = refusal_reply(refusal)
        assert reply.status == STATUS[refusal] >= 400
        assert len(body_of(reply)["message"]) > 20
        assert (header(reply, "retry-after") == "2") == (reply.status in (429, 503))


async def test_what_is_not_durable_is_not_answered_200(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        house.log.outage = LogUnavailable("the disk is full")
        reply = await house.send("/mobileapi/geo", "appkey=demo&mid=v1&lat=1&lon=2")
        assert (reply.status, header(reply, "retry-after")) == (503, "2")
        assert body_of(reply)["reason"] == Refusal.NOT_DURABLE
        house.log.outage = None
        assert (await house.send("/mobileapi/geo", "appkey=demo&mid=v1&lat=1&lon=2")).status == 200
        assert len(house.events()) == 1
        assert house.count("ochn_in_flight") == 0


async def test_more_than_may_wait_is_told_to_come_again(tmp_path: Path) -> None:
    async with inside(tmp_path, limits={"in_flight_requests": 2}) as house:
        replies: list[Any] = []
        for _ in range(3):
            house.intake.take(house.arrival("/mobileapi/geo", "appkey=demo&mid=v1&lat=1&lon=2"), replies.append)
        assert [(reply.status, body_of(reply)["reason"]) for reply in replies] == [(503, Refusal.OVERLOADED)]
        assert (await house.send("/jsapi/nowhere")).status == 503
        assert house.count("ochn_in_flight") == 0
        assert sorted(reply.status for reply in replies) == [200, 200, 503]


async def test_warnings_are_for_development(tmp_path: Path) -> None:
    body = "appkey=demo&uid=foreign&requestType=action&actionType=feedback&aditionalData[rating]=11&colour=red"
    async with inside(tmp_path, warnings=True) as house:
        told = body_of(await house.send("/jsapi/send", body))
    assert [warning.split(":")[:2] for warning in told["warnings"]] == [
        ["unknown_field", " colour"],
        ["rating_out_of_range", " additionalData[rating]"],
    ]
    async with inside(tmp_path) as house:
        assert (await house.send("/jsapi/send", body)).body == b"{}"


@pytest.mark.parametrize(
    ("action", "field", "meant"),
    [
        ("feedback", "ratings", "rating"),
        ("visit", "Brand", "brands"),
        ("contact", "appointment_date", "appointmentDate"),
        ("profiling", "percent-completed", "percentCompleted"),
    ],
)
async def test_data_under_nearly_the_name_is_told(tmp_path: Path, action: str, field: str, meant: str) -> None:
    body = (
        f"appkey=demo&uid=v&requestType=action&actionType={action}&aditionalData[{field}]=1&aditionalData[campaign]=x"
    )
    async with inside(tmp_path, warnings=True) as house:
        told = body_of(await house.send("/jsapi/send", body))
        assert house.events()[0].data["additionalData"] == {field: "1", "campaign": "x"}
    assert [warning.split(":")[:2] for warning in told["warnings"]] == [
        ["misspelt_field", f" additionalData[{field}] for additionalData[{meant}]"]
    ]


async def test_a_body_under_another_name_than_its_own_is_told_and_not_only_that_no_key_was_found(
    tmp_path: Path,
) -> None:
    body = b'{"appkey": "demo", "email": "ann@example.com"}'
    async with inside(tmp_path) as house:
        as_form, zipped = [await house.send("/jsapi/init", each) for each in (body, gzip.compress(body))]
        nobody = await house.send("/jsapi/init", b"appkey=nobody")
    assert [reply.status for reply in (as_form, zipped, nobody)] == [403] * 3
    assert [body_of(reply)["reason"] for reply in (as_form, zipped, nobody)] == [Refusal.UNKNOWN_KEY] * 3
    told = [body_of(reply)["message"] for reply in (as_form, zipped, nobody)]
    assert ["application/json" in told[0], "Content-Encoding: gzip" in told[1], "`appkey`" in told[2]] == [True] * 3


async def test_a_page_of_another_origin_is_told_its_own(tmp_path: Path) -> None:
    body = "appkey=shop&uid=v&requestType=action&actionType=visit"
    async with inside(tmp_path, warnings=True) as house:
        told = body_of(await house.send("/jsapi/send", body, origin="https://copy.example"))
    advice = "is not among the origins of this app key in the settings"
    assert told["warnings"] == [f"wrong_origin: https://copy.example: {advice}"]


async def test_a_call_that_no_batch_knows_is_told_which_there_are(tmp_path: Path) -> None:
    async with inside(tmp_path, warnings=True) as house:
        told = body_of(await house.send_json("/mobileapi/batch", {"appkey": "demo", "events": [{"call": "snd"}]}))
    (result,) = told["results"]
    assert "unknown_request_type: call: expected init, send," in result["warnings"][0]


async def test_events_and_reasons_are_counted(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        await house.send("/mobileapi/geo", "appkey=demo&mid=v1&lat=1&lon=2")
        await house.send("/mobileapi/geo", "appkey=demo&lat=200&lon=2")
        assert house.count("ochn_events_total", type="ochn.mobile.geo", verdict="accepted") == 1
        assert house.count("ochn_events_total", type="ochn.mobile.geo", verdict="quarantined") == 1
        assert house.count("ochn_quarantined_total", reason="bad_location") == 1
        assert house.count("ochn_quarantined_total", reason="missing_visitor") == 1


async def test_answers_name_only_the_origins_of_the_key(tmp_path: Path) -> None:
    body = "appkey=shop&uid=v1&requestType=action&actionType=visit"
    async with inside(tmp_path) as house:
        good = await house.send("/jsapi/send", body, origin="https://shop.example")
        bad = await house.send("/jsapi/send", body, origin="https://evil.example")
        assert header(good, "access-control-allow-origin") == "https://shop.example"
        assert header(bad, "access-control-allow-origin") == "*"
        assert header(bad, "x-event-status") == "quarantined; reason=wrong_origin"
        (event,) = house.quarantined()
        assert (event.originverdict, event.quarantinereasons) == ("denied", "wrong_origin")


async def test_an_event_too_large_is_shown_and_its_body_kept(tmp_path: Path) -> None:
    body = {"appkey": "demo", "mid": "v1", "lat": 1, "lon": 2, "notes": ["x" * 1000] * 1000}
    async with inside(tmp_path) as house:
        reply = await house.send_json("/mobileapi/geo", body)
        (event,) = house.quarantined()
    assert (reply.status, header(reply, "x-event-status")) == (200, "quarantined; reason=event_too_large")
    assert event.data == {"lat": 1, "lon": 2}
    assert len((tmp_path / "oversize" / event.id).read_bytes()) > MAX_BYTES


async def test_a_body_that_cannot_be_kept_beside_the_log_is_not_answered_200(tmp_path: Path) -> None:
    (tmp_path / "oversize").write_text("a file where a folder should be")
    body = {"appkey": "demo", "mid": "v1", "lat": 1, "lon": 2, "notes": ["x" * 1000] * 1000}
    async with inside(tmp_path) as house:
        assert (await house.send_json("/mobileapi/geo", body)).status == 503
        assert house.log.topics == {}
        assert house.count("ochn_in_flight") == 0
