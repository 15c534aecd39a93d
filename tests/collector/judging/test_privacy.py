"""What a key's `privacy` keeps of a person, in the log and beside it, after identity was worked out."""

from pathlib import Path
from typing import Any

import pytest

from base.ids import SeededIds
from base.logs import quiet_logger
from collector.judging.identity import build_identity
from collector.judging.keys import KeyRing
from collector.judging.person import Contact
from collector.judging.privacy import Privacy
from collector.settings import CollectorRoot, IdentitySettings
from eventlog.event import MAX_BYTES, Event
from tests.collector.inside import Inside, header, inside
from tests.support.events import make_event

IDENTITY = build_identity(IdentitySettings(), SeededIds(7), quiet_logger())
ANN = {"email": " Ann@Example.com", "phone": "+40 700 000 000", "customerId": 77}
LEAD = {
    "userEmail": "ann@example.com",
    "userFirstName": "Ann",
    "userCity": "Cluj",
    "customDetails": {"size": "M"},
    "tags": ["vip"],
    "agreeTandc": "true",
    "cv": {"name": "ann.pdf", "type": "application/pdf", "data": "QQ=="},
}


def kept(data: dict[str, Any], personal: Any = "drop", address: Any = "drop", **more: Any) -> Event:
    return Privacy(address, personal).applied(make_event("mobile.init", data, **more), IDENTITY)


@pytest.mark.parametrize(
    ("data", "left"),
    [
        ({"E-Mail": "a", "user_phone": {"a": 1}, "brands": [1]}, {"brands": [1]}),
        ({"additionalData": {"a": [{"customer_id": 1, "b": 2}]}}, {"additionalData": {"a": [{"b": 2}]}}),
        ({"x": [{"attributeName": "email", "attributeValue": "a@b.c"}, 7]}, {"x": [{}, 7]}),
        ({"technicalInfo": {"deviceUuid": "1", "ipAddress": "::1", "deviceOs": "iOS"}}, {"technicalInfo": {"deviceOs": "iOS"}}),
        ({"sensors": [{"macAddress": "0", "rssi": -5}]}, {"sensors": [{"rssi": -5}]}),
        ({"lead": LEAD}, {"lead": {"tags": ["vip"], "agreeTandc": "true"}}),
        ({"lead": "ann@example.com", "page": '{"url": "?email=a"}', "aditionalData": "a"}, {"lead": {}}),
        ({"page": {"url": "https://x/?a=1&e%2Dmail=a@b.c&b=2#t"}}, {"page": {"url": "https://x/?a=1&b=2#t"}}),
        ({"page": {"url": "/?Email=a@b.c", "referrer": "/#/x?phone=1&q="}}, {"page": {"url": "/", "referrer": "/#/x?q="}}),
    ],
)  # fmt: skip
def test_what_is_left_of_what_was_told(data: dict[str, Any], left: dict[str, Any]) -> None:
    event = kept(data)
    assert (event.data, event.privacy, event.impersonal) == (left, "address=drop;personal=drop", True)
    assert kept(data, "hash").data == left
    only_address = kept(data, "keep")
    assert only_address.data.keys() == data.keys()
    assert not only_address.impersonal


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("testclient", None),
        (None, None),
    ],
)
def test_an_address_is_cut_to_its_network(address: str | None, network: str | None) -> None:
    assert kept({}, "keep", "truncate", clientaddress=address).clientaddress == network
    assert kept({}, "keep", "drop", clientaddress=address).clientaddress is None
    assert kept({}, "drop", "keep", clientaddress=address).clientaddress == address


def test_a_hash_is_the_id_by_which_that_contact_is_known() -> None:
    told = kept({**ANN, "pushNotificationToken": "t", "lead": {"userEmail": "else@example.com"}}, "hash").privacy
    found = dict(pair.split("=") for pair in (told or "").split(";"))
    assert found["email"] == Contact(email="ann@example.com").person(IDENTITY, "default")
    assert found["phone"] == Contact(phone="+40700000000").person(IDENTITY, "default")
    assert found["customer_id"] == Contact(customer_id="77").person(IDENTITY, "default")
    assert found.keys() == {"address", "personal", "email", "phone", "customer_id", "push"}
    other = kept({"lead": {"userEmail": "else@example.com"}}, "hash").privacy
    assert other == f"address=drop;personal=hash;email={Contact(email='else@example.com').person(IDENTITY, 'default')}"
    assert kept({"email": "undefined"}, "hash").privacy == "address=drop;personal=hash"


def test_a_key_that_keeps_everything_has_no_privacy() -> None:
    tables: dict[str, dict[str, Any]] = {"a": {}, "b": {"privacy": {}}, "c": {"privacy": {"address": "truncate"}}}
    keys = {name: {"values": [name], **table} for name, table in tables.items()}
    ring = KeyRing(CollectorRoot.model_validate({"profile": "dev", "keys": keys}).keys)
    found = [key.privacy for name in "abc" if (key := ring.find(name))]
    assert found == [None, None, Privacy("truncate", "keep")]


async def arrive(house: Inside, key: str) -> dict[str, Any]:
    """What is answered to an init of hers and to a lead, and the log of both."""
    replies = [
        await house.send_json("/jsapi/init", {"appkey": key, **ANN}),
        await house.send_json("/jsapi/register", {"appkey": key, "uid": "v", "lead": LEAD}),
    ]
    init, lead = house.events()[-2:]
    return {
        "answers": [reply.body for reply in replies],
        "init": init,
        "lead": lead,
        "cookie": header(replies[1], "set-cookie"),
    }


@pytest.mark.anyio
async def test_who_it_is_was_worked_out_before(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        whole, hashed, dropped = [await arrive(house, key) for key in ("demo", "hashing", "dropping")]
    assert whole["answers"] == hashed["answers"] == dropped["answers"]
    for name in ("init", "lead"):
        assert whole[name].person == hashed[name].person == dropped[name].person
        assert whole[name].subject == hashed[name].subject
        assert (whole[name].privacy, whole[name].clientaddress) == (None, "192.0.2.7")
    assert (hashed["init"].clientaddress, dropped["init"].clientaddress) == ("192.0.2.0/24", None)
    assert hashed["init"].data == dropped["init"].data == {}
    assert (bool(whole["cookie"]), hashed["cookie"], dropped["cookie"]) == (True, "", "")


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["hashing", "dropping"])
async def test_no_body_is_kept_that_nobody_can_look_through(tmp_path: Path, key: str) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send("/jsapi/init", f"appkey={key}&email=ann@example.com&x=%FF")
        assert header(reply, "x-event-status") == "quarantined; reason=bad_text"
        large = {"appkey": key, "uid": "v", **ANN, "lead": {**LEAD, "tags": ["x" * MAX_BYTES]}}
        reply = await house.send_json("/jsapi/register", large)
        assert header(reply, "x-event-status") == "quarantined; reason=event_too_large"
        unread, cut = house.quarantined()
    assert (unread.data, unread.data_base64) == ({}, None)
    (beside,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert beside.name == cut.id
    assert b'"tags":["xxx' in beside.read_bytes()
    assert b"nn@" not in cut.to_bytes() + beside.read_bytes()
