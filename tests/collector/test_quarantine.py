"""What is answered 200 and held back, with its reasons; and what is only remarked upon."""

from pathlib import Path
from typing import Any

import pytest

from base.reasons import Quarantine, Warned
from collector.judging.remarks import ADVICE
from tests.collector.inside import Inside, header, inside

pytestmark = pytest.mark.anyio

GOOD_SALE = [{"name": "C&A", "value": "52"}, {"name": "Zara", "value": 322.5}]


async def verdict(house: Inside, path: str, **fields: Any) -> tuple[str, str]:
    """The type of the stored event and its verdict."""
    reply = await house.send_json(path, {"appkey": "demo", **fields})
    assert reply.status == 200
    status = header(reply, "x-event-status")
    stored = house.quarantined() if status.startswith("quarantined") else house.events()
    assert stored[-1].id == header(reply, "x-event-id")
    assert (stored[-1].quarantinereasons or "") == status.partition("reason=")[2]
    return stored[-1].type, status.removeprefix("quarantined; reason=")


def send(action: str | None, request: str | None = "action", **additional: Any) -> dict[str, Any]:
    fields = {"uid": "v", "requestType": request, "actionType": action, "aditionalData": additional}
    return {name: value for name, value in fields.items() if value not in (None, {})}


BAD_RATINGS: list[Any] = [0, 11, "11", "", None, True, "1_0", "nan", "٣", [], "1e1000"]
BAD_DATES: list[Any] = ["2026-02-30 10:00:00", "2026-02-28", "2026-02-28T10:00:00", "28.02.2026 10:00:00", 1, ""]
BAD_RECEIPTS: list[Any] = ["52", {"name": "a", "value": 1}, [{"value": 1}], [{"name": "a", "value": "1,5"}], [7]]


@pytest.mark.parametrize(
    ("fields", "kind", "status"),
    [
        (send("visit", brands=["Zara"]), "visit", "accepted"),
        (send("visit", campaignId="1", adId="2"), "visit", "accepted"),
        (send("engagement", description="x"), "engagement", "accepted"),
        (send(None, "reach"), "reach", "accepted"),
        (send("visit", "impression"), "impression", "accepted"),
        (send("shout", "impression"), "impression", "unknown_action_type"),
        (send("shout"), "unknown", "unknown_action_type"),
        (send("visit", "shout"), "visit", "unknown_request_type"),
        (send(None, None), "unknown", "unknown_request_type,unknown_action_type"),
        ({**send("visit"), "actionType": ["visit"]}, "unknown", "bad_shape,unknown_action_type"),
        (send("feedback"), "feedback", "accepted"),
        *((send("feedback", rating=good), "feedback", "accepted") for good in (1, 10, "7", "7.5", " 3 ")),
        *((send("feedback", rating=bad), "feedback", "rating_out_of_range") for bad in BAD_RATINGS),
        *((send("profiling", percentCompleted=good), "profiling", "accepted") for good in (0, "100", 33.3)),
        *(
            (send("profiling", percentCompleted=bad), "profiling", "percent_out_of_range")
            for bad in (-1, 101, "50%", "half")
        ),
        (send("contact", appointmentDate="2026-02-28 23:59:59", senderType="person"), "contact", "accepted"),
        *((send("contact", appointmentDate=bad), "contact", "bad_appointment_date") for bad in BAD_DATES),
        (send("contact", senderType="robot"), "contact", "bad_sender_type"),
        (send("sale", receipts=GOOD_SALE), "sale", "accepted"),
        (send("sale"), "sale", "accepted"),
        *((send("sale", receipts=bad), "sale", "bad_receipts") for bad in BAD_RECEIPTS),
        (send("feedback", brands=["kept, with a warning"]), "feedback", "accepted"),
        (send("visit", rating=11), "visit", "accepted"),  # another action's data is not judged
        ({**send("visit"), "uType": "p"}, "visit", "accepted"),
        ({**send("visit"), "uType": "x"}, "visit", "bad_user_type"),
        ({**send("visit"), "uid": ""}, "visit", "missing_visitor"),
        ({**send("visit"), "uid": "x" * 129}, "visit", "bad_visitor"),
        ({**send("visit"), "aditionalData": "text"}, "visit", "bad_shape"),
        ({**send("visit"), "aditionalData": []}, "visit", "accepted"),
        ({**send("visit"), "email": {"a": 1}}, "visit", "bad_shape"),
    ],
)
async def test_sends(tmp_path: Path, fields: dict[str, Any], kind: str, status: str) -> None:
    async with inside(tmp_path) as house:
        assert await verdict(house, "/jsapi/send", **fields) == (f"ochn.web.{kind}", status)


SENSOR = {"uuid": "4457-7784-5577-6655", "rssi": 5461567, "minor": 3.2, "proximity": "near", "macAddress": ""}


@pytest.mark.parametrize(
    ("door", "fields", "kind", "status"),
    [
        ("geo", {"lat": "44.4", "lon": -26}, "geo", "accepted"),
        ("geo", {"lat": "44.4", "lon": "26", "accuracy": "?"}, "geo", "accepted"),
        ("geo", {"lat": 200, "lon": 26}, "geo", "bad_location"),
        ("geo", {"lat": 20, "lon": -181}, "geo", "bad_location"),
        ("geo", {"lat": 20}, "geo", "bad_location"),
        ("geo", {}, "geo", "bad_location"),
        ("sensors", {"sensors": [SENSOR]}, "sensors", "accepted"),
        ("sensors", {"sensors": {"uuid": ["a", "b"], "rssi": [1]}}, "sensors", "accepted"),
        ("sensors", {"sensors": [SENSOR] * 100}, "sensors", "accepted"),
        ("sensors", {"sensors": [SENSOR] * 101}, "sensors", "too_many_sensors"),
        ("sensors", {"sensors": []}, "sensors", "missing_sensors"),
        ("sensors", {}, "sensors", "missing_sensors"),
        ("sensors", {"sensors": "near"}, "sensors", "bad_shape"),
        ("sensors", {"sensors": [1]}, "sensors", "bad_shape"),
        ("sensors", {"lat": 1, "lon": 2}, "geo", "accepted"),
        ("send", {"lat": 1, "lon": 2}, "geo", "accepted"),
        ("geo", {"sensors": [SENSOR]}, "sensors", "accepted"),
        ("send", {"sensors": [SENSOR]}, "sensors", "accepted"),
        ("sensors", {"requestType": "action", "actionType": "visit"}, "visit", "accepted"),
        ("geo", {"requestType": "reach"}, "reach", "accepted"),
        ("send", {"requestType": "action", "actionType": "visit", "lat": 1, "lon": 2}, "visit", "accepted"),
    ],
)
async def test_mobile_calls(tmp_path: Path, door: str, fields: dict[str, Any], kind: str, status: str) -> None:
    async with inside(tmp_path) as house:
        told = await verdict(house, f"/mobileapi/{door}", mid="v", **fields)
        stored = (house.events() + house.quarantined())[0]
    assert told == (f"ochn.mobile.{kind}", status)
    kinds = {"visit": "send", "reach": "send"}
    assert stored.rerouted == (kinds.get(kind, kind) != door)


async def test_a_key_at_a_door_it_is_not_for(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send("/mobileapi/geo", "appkey=shop&mid=v&lat=1&lon=2")
    assert header(reply, "x-event-status") == "quarantined; reason=wrong_surface"


async def test_bytes_that_are_no_text_are_kept_as_they_came(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send(
            "/jsapi/send", b"appkey=demo&uid=v&requestType=action&actionType=visit&page[title]=%FF"
        )
        (event,) = house.quarantined()
    assert header(reply, "x-event-status") == "quarantined; reason=bad_text"
    assert (event.type, event.subject, event.data) == ("ochn.web.visit", "v", {})
    assert event.data_base64 is not None


async def test_a_wrong_header_key_does_not_spoil_a_good_body_key(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        for body, key in (("appkey=demo&", "old"), ("appkey=old&", "demo"), ("appKey=demo&", ""), ("", "demo")):
            reply = await house.send("/mobileapi/geo", f"{body}mid=v&lat=1&lon=2", appkey=key)
            assert header(reply, "x-event-status") == "accepted"
        assert house.events()[0].data == {"lat": "1", "lon": "2"}


def test_every_code_has_its_advice() -> None:
    assert set(ADVICE) == {*Quarantine, *Warned}
