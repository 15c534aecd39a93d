"""register and prepopulate: no lead is lost, and nobody learns another's."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from eventlog.event import MAX_BYTES
from tests.collector.inside import Inside, body_of, header, inside

pytestmark = pytest.mark.anyio

LEAD: dict[str, Any] = {"userFirstName": "Ana", "userEmail": "ana@example.com", "tags": ["a"], "nps": "9"}
THANKS = {"status": "ok", "message": "Thank you, we have received your details."}


async def register(house: Inside, key: str = "demo", **fields: Any) -> str:
    """The cookie that the browser keeps, as it sends it back."""
    reply = await house.send_json("/jsapi/register", {"appkey": key, **fields})
    assert body_of(reply) == THANKS
    return header(reply, "set-cookie").partition(";")[0]


async def test_a_lead_is_an_event_however_it_is_posted(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        await register(house, lead=LEAD, uid="v", page={"url": "u"})
        await register(house, **LEAD, uid="v", page={"url": "u"})
        await house.send("/jsapi/register", "appkey=demo&uid=v&page[url]=u&lead[userFirstName]=Ana&lead[tags][]=a")
        nested, flat, form = house.events()
    assert nested.type == "ochn.web.register"
    assert nested.data == flat.data == {"lead": LEAD, "page": {"url": "u"}}
    assert form.data["lead"] == {"userFirstName": "Ana", "tags": ["a"]}
    assert {event.subject for event in (nested, flat, form)} == {"v"}


async def test_a_lead_without_an_id_is_of_the_person_it_names(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        uid = body_of(await house.send("/jsapi/init", "appkey=demo&email=ana@example.com"))["uid"]
        await register(house, lead=LEAD)
        await house.send_json("/jsapi/register", {"appkey": "demo", "lead": LEAD}, cookie="ochn_vid=v")
        await register(house, lead={"userCity": "Cluj"})
        _, named, cookie, nobody = house.events()
    assert (named.subject, named.person) == (uid, uid)
    assert (cookie.subject, cookie.person) == ("v", uid)
    assert (len(nobody.subject), nobody.person) == (64, None)


async def test_an_empty_lead_is_held_back(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        assert await register(house) == ""
        (event,) = house.quarantined()
    assert event.quarantinereasons == "empty_lead"


async def test_a_big_file_never_costs_the_lead(tmp_path: Path) -> None:
    text = base64.b64encode(os.urandom(900_000)).decode()
    lead = {**LEAD, "cv": {"name": "cv.pdf", "type": "application/pdf", "data": text}}
    async with inside(tmp_path) as house:
        await register(house, lead=lead)
        (event,) = house.events()
    cut = {"name": "cv.pdf", "type": "application/pdf", "bytes": len(text), "file": f"{event.id}/0"}
    assert event.data["lead"] == {**LEAD, "cv": cut}
    assert (tmp_path / "files" / event.id / "0").read_text() == text
    assert len(event.to_bytes()) <= MAX_BYTES


async def test_a_small_file_stays_in_the_lead(tmp_path: Path) -> None:
    lead = {"cv": {"name": "cv.pdf", "type": "application/pdf", "data": "AAAA"}}
    async with inside(tmp_path) as house:
        await register(house, lead=lead)
        assert house.events()[0].data == {"lead": lead}
    assert not (tmp_path / "files").exists()


async def prepopulate(house: Inside, cookie: str, body: str = "appkey=demo", **headers: str) -> Any:
    answer = body_of(await house.send("/jsapi/prepopulate", body, cookie=cookie, **headers))
    assert answer["status"] == "ok"
    return answer["data"]


async def test_a_browser_is_told_what_it_registered_itself(tmp_path: Path) -> None:
    own = {"userFirstName": "Ana", "userEmail": "ana@example.com"}
    async with inside(tmp_path) as house:
        cookie = await register(house, lead=LEAD)
        assert await prepopulate(house, cookie) == own
        assert await prepopulate(house, f"x=y; {cookie}", "appkey=demo&email=ana@example.com") == own
        assert len(house.events()) == 1


async def test_nobody_is_told_anything_else(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        cookie = await register(house, lead=LEAD)
        told, _, seal = cookie.removeprefix("ochn_lead=").partition(".")
        forged = base64.urlsafe_b64encode(b'{"userEmail":"bob@example.com"}').decode()
        assert await prepopulate(house, "") == {}
        assert await prepopulate(house, cookie, "appkey=demo&email=bob@example.com") == {}
        assert await prepopulate(house, cookie, "appkey=shop") == {}  # another tenant's page in the same browser
        for bad in (f"{forged}.{seal}", told, f"{told}.", f".{seal}", "a.b", "\u0219.\u0219", "===.==="):
            assert await prepopulate(house, f"ochn_lead={bad}") == {}


async def test_another_origin_is_told_nothing(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        cookie = await register(house, "shop", lead=LEAD)
        assert await prepopulate(house, cookie, "appkey=shop", origin="https://shop.example") != {}
        assert await prepopulate(house, cookie, "appkey=shop", origin="https://evil.example") == {}


async def test_the_cookie_is_not_for_scripts(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        reply = await house.send("/jsapi/register", "appkey=demo&userEmail=a@b.c", scheme="https")
    assert header(reply, "set-cookie").endswith("; Path=/; Max-Age=34560000; SameSite=Lax; Secure; HttpOnly")
