"""What Footprints is asked when a person is erased, and what its answers mean."""

from collections.abc import Callable
from typing import Any

import pytest

from base.clock import ManualClock
from base.errors import SettingsError
from base.settings import validate
from forwarder.transport import MemoryTransport, Reply, Request
from ochn.config import Settings
from ochn.erasure.vendors import Asked, ask_vendors, planned

pytestmark = pytest.mark.anyio
FOOTPRINTS = {"kind": "footprints", "base_url": "shop.example", "key": "k", "secret": "s"}
NETCORE = {"kind": "netcore", "region": "eu", "api_key": "k", "web_asset_id": "w"}
TOKEN = Reply(200, {}, b'{"access_token":"t&1","expires_in":60}')


def configured(**destinations: Any) -> Settings:
    return validate(Settings, {"profile": "dev", "destinations": destinations}, "test")


async def ask(answer: Callable[[Request], Reply | None], *customers: str) -> tuple[Asked, list[Request]]:
    transport = MemoryTransport(lambda request: TOKEN if request.url.endswith("/api/token") else answer(request))
    settings = configured(fp={**FOOTPRINTS, "erase": True})
    (asked,) = await ask_vendors(settings, customers, lambda: transport, ManualClock())
    return asked, transport.requests


async def test_it_is_asked_as_its_page_says_once_a_customer() -> None:
    asked, (token, *deletes) = await ask(lambda _: Reply(200, {}, b'{"status":"success"}'), "2446456", "a&b")
    assert (asked.deleted, asked.done) == (2, True)
    assert (token.method, token.body) == ("POST", b"grant_type=client_credentials")
    assert [(one.method, one.url) for one in deletes] == [
        ("DELETE", "https://shop.example/api/client?access_token=t%261")
    ] * 2
    assert [one.body for one in deletes] == [b"userExternalId=2446456", b"userExternalId=a%26b"]


@pytest.mark.parametrize(
    ("reply", "done"),
    [
        (Reply(404, {}, b'{"status":"error"}'), True),
        (Reply(404, {}, b"<html>no such page"), False),
        (Reply(200, {}, b'{"status":"error","message":"no"}'), False),
        (Reply(200, {}, b"<html>"), False),
        (Reply(401), False),
        (Reply(500), False),
        (None, False),
    ],
)
async def test_only_a_yes_and_a_no_such_customer_are_done(reply: Reply | None, done: bool) -> None:
    asked, _ = await ask(lambda _: reply, "1")
    assert (asked.done, "say the same again" in asked.left) == (done, not done)
    assert "t&1" not in asked.left
    assert "t%261" not in asked.left


async def test_without_a_token_nothing_is_deleted() -> None:
    transport = MemoryTransport(lambda _: Reply(401, {}, b"no"))
    settings = configured(fp={**FOOTPRINTS, "erase": True})
    (asked,) = await ask_vendors(settings, ["1"], lambda: transport, ManualClock())
    assert (asked.done, "no access token" in asked.left) == (False, True)


async def test_who_is_not_to_be_asked_is_not_and_it_is_said() -> None:
    settings = configured(fp=FOOTPRINTS, nc=NETCORE)
    off, nobody = await ask_vendors(settings, ["1"], lambda: MemoryTransport(lambda _: None), ManualClock())
    assert ("`erase` is off" in off.left, "ask it there" in nobody.left, off.done) == (True, True, True)
    asked, requests = await ask(lambda _: None)
    assert (asked.done, "none is known" in asked.left, requests) == (True, True, [])
    on = configured(fp={**FOOTPRINTS, "erase": True}, nc=NETCORE)
    assert [one.left[:8] for one in planned(on, ["1"])] == ["is asked", "what it "]
    assert [one.left[:9] for one in planned(on, [])] == ["not asked", "what it w"]


def test_it_needs_the_credentials() -> None:
    with pytest.raises(SettingsError, match="erase = true needs key and secret"):
        configured(fp={"kind": "footprints", "base_url": "shop.example", "erase": True})
