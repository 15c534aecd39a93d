"""Who gets which id: contracts.md, "init never sends mid", and design.md, section 3."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from base.ids import SeededIds
from base.logs import quiet_logger
from collector.judging.identity import IdKind, build_identity
from collector.judging.person import normal_email, normal_phone
from collector.settings import IdentitySettings
from tests.collector.inside import Inside, body_of, header, inside

pytestmark = pytest.mark.anyio

ANDROID = {"deviceOs": "Android 14", "deviceType": "Smartphone", "screenSize": "1080x2400", "deviceUuid": "UP1A.231005"}
IPHONE = {"deviceOs": "iOS 17.1", "deviceType": "Smartphone", "screenSize": "1170x2532", "deviceUuid": "E621E1F8-C36C"}


async def init(house: Inside, path: str = "/jsapi/init", cookie: str = "", **fields: Any) -> dict[str, Any]:
    reply = await house.send_json(path, {"appkey": "demo", **fields}, cookie=cookie)
    assert reply.status == 200
    answer: dict[str, Any] = body_of(reply)
    return answer


async def mobile(house: Inside, **fields: Any) -> str:
    return str((await init(house, "/mobileapi/init", **fields))["mobileId"])


async def test_a_browser_is_new_once(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        first, second = (await init(house))["pid"], (await init(house))["pid"]
        assert first != second
        assert (await init(house, pid=first))["pid"] == first
        assert (await init(house, cookie=f"ochn_vid={first}"))["pid"] == first
        assert [event.subject for event in house.events()] == [first, second, first, first]
        assert [event.data.get("pid") for event in house.events()] == [None, None, first, first]
        assert not any(event.foreignid for event in house.events())


@pytest.mark.parametrize("foreign", ["c1234567890abcdef", "p" + "0f" * 32, "ț €;,", "x" * 128, 17])
async def test_a_foreign_id_is_given_back_and_marked(tmp_path: Path, foreign: str | int) -> None:
    async with inside(tmp_path) as house:
        assert (await init(house, pid=foreign))["pid"] == str(foreign)
        assert await mobile(house, mid=foreign) == str(foreign)
        assert [event.foreignid for event in house.events()] == [True, True]


@pytest.mark.parametrize("bad", ["x" * 129, "a\nb", ["a"], {"a": "b"}, ""])
async def test_an_earlier_id_that_is_none_is_replaced(tmp_path: Path, bad: Any) -> None:
    async with inside(tmp_path) as house:
        assert len((await init(house, pid=bad))["pid"]) == 64


async def test_a_contact_makes_a_person_whoever_asks_and_wherever(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        uid = (await init(house, email=" Ana@Example.COM "))["uid"]
        assert (await init(house, email="ana@example.com", pid="earlier"))["uid"] == uid
        assert (await init(house, email="ana%40example.com"))["uid"] == uid
        assert (await init(house, email="bob@example.com"))["uid"] != uid
        assert (await init(house, phone="0040 722-000-111"))["uid"] == (await init(house, phone="+40722000111"))["uid"]
        assert (await init(house, customerId="7"))["uid"] == (await init(house, customerId=7, email="a@b.c"))["uid"]
        assert (await init(house, pid=uid)) == {"status": "ok", "success": True, "uid": uid}
        events = house.events()
    assert events[1].data == {"email": "ana@example.com", "pid": "earlier"}
    assert {event.person == event.subject for event in events} == {True}
    async with inside(tmp_path) as later:
        assert (await init(later, email="ana@example.com"))["uid"] == uid


async def test_people_are_a_tenants_own(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        ours = (await init(house, email="ana@example.com"))["uid"]
        theirs = body_of(await house.send("/jsapi/init", "appkey=shop&email=ana@example.com"))["uid"]
    assert ours != theirs


@pytest.mark.parametrize("text", ["undefined", "null", "", "@", "a@", "@b", "a b@c.d", "a@b\nc", "x" * 320 + "@b.c", 7])
async def test_what_is_no_email_identifies_nobody(tmp_path: Path, text: Any) -> None:
    async with inside(tmp_path) as house:
        answer = await init(house, email=text)
    assert "pid" in answer


async def test_a_device_gets_its_id_back(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        pushed = await mobile(house, pushNotificationToken="t1", technicalInfo=ANDROID)
        assert await mobile(house, pushNotificationToken="t1", technicalInfo=IPHONE, userEmail="a@b.c") == pushed
        assert await mobile(house, pushNotificationToken="t2", technicalInfo=ANDROID) != pushed
        assert await mobile(house, pushNotificationToken="t2", mid=pushed) == pushed

        known = await mobile(house, userEmail="a@b.c", technicalInfo=ANDROID)
        updated = {**ANDROID, "deviceOs": "Android 15", "deviceUuid": "another build"}
        assert await mobile(house, userEmail="A@b.c", technicalInfo=updated) == known
        assert await mobile(house, userEmail="a@b.c", technicalInfo=IPHONE) != known
        assert await mobile(house, userPhone="0722000111", technicalInfo=ANDROID) != known

        vendor = await mobile(house, technicalInfo=IPHONE)
        assert await mobile(house, technicalInfo={**IPHONE, "deviceOs": "iOS 18"}) == vendor


async def test_androids_build_id_is_nobodys(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        assert await mobile(house, technicalInfo=ANDROID) != await mobile(house, technicalInfo=ANDROID)
        assert await mobile(house) != await mobile(house)


async def test_a_visitor_of_ours_is_known_in_what_it_sends(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        uid = (await init(house, email="ana@example.com"))["uid"]
        await house.send("/jsapi/send", f"appkey=demo&uid={uid}&uType=c&requestType=action&actionType=visit")
        event = house.events()[-1]
    assert (event.subject, event.person, event.foreignid) == (uid, uid, False)


async def test_the_same_site_cookie(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        plain = await house.send("/jsapi/init", "appkey=demo&pid=a%3Bb")
        assert header(plain, "set-cookie") == "ochn_vid=a%3Bb; Path=/; Max-Age=34560000; SameSite=Lax"
        secure = await house.send("/jsapi/init", "appkey=demo&pid=v", scheme="https")
        assert header(secure, "set-cookie") == "ochn_vid=v; Path=/; Max-Age=34560000; SameSite=Lax; Secure"
        assert (await init(house, cookie="ochn_vid=a%3Bb"))["pid"] == "a;b"
        assert header(await house.send("/mobileapi/init", "appkey=demo"), "set-cookie") == ""
    async with inside(tmp_path, cookie_seconds=0) as house:
        assert header(await house.send("/jsapi/init", "appkey=demo"), "set-cookie") == ""


def test_phones_and_emails() -> None:
    assert normal_phone(" +40 (722) 000.111") == normal_phone("0040722000111") == "+40722000111"
    assert normal_phone(722000111) == "722000111"
    assert [normal_phone(value) for value in ("1234", "", None, True, 1.5, ["1234567"])] == [""] * 6
    assert normal_email(" E\u0301lan@B.c ") == "\xe9lan@b.c"


def test_settings_make_the_keys() -> None:
    first, second = SecretStr("1" * 32), SecretStr("2" * 32)
    alone = build_identity(IdentitySettings(secret=first), SeededIds(), quiet_logger())
    person = SecretStr("p" * 32)
    before = build_identity(IdentitySettings(secret=first, person_secret=person), SeededIds(), quiet_logger())
    rotated = IdentitySettings(secret=second, previous_secrets=(first,), person_secret=person)
    after = build_identity(rotated, SeededIds(), quiet_logger())
    assert alone.kind_of(before.fresh(IdKind.VISITOR)) is IdKind.VISITOR
    assert alone.kind_of(before.hashed(IdKind.VISITOR, "a")) is None
    assert after.kind_of(before.fresh(IdKind.MOBILE)) is IdKind.MOBILE
    assert before.kind_of(after.fresh(IdKind.MOBILE)) is None
    assert after.hashed(IdKind.CUSTOMER, "a") == before.hashed(IdKind.CUSTOMER, "a")
