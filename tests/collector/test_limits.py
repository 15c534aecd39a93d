"""The table of limits is whole, and what thousands of connections may hold together is bounded."""

import asyncio

import pytest

from base.reasons import Quarantine
from collector.limits import CLOSES, HELD_BACK, REFUSED
from collector.replies import STATUS
from collector.settings import LimitSettings
from tests.collector.pipe import piped
from tests.collector.wire import SECONDS, request

pytestmark = pytest.mark.anyio


def test_every_limit_of_the_settings_says_what_becomes_of_it() -> None:
    assert REFUSED.keys() | HELD_BACK.keys() == LimitSettings.model_fields.keys()
    assert not REFUSED.keys() & HELD_BACK.keys()
    assert REFUSED.keys() >= CLOSES
    assert {STATUS[refusal] for refusal in REFUSED.values()} == {408, 413, 414, 431, 503}
    assert all(isinstance(reason, Quarantine) for reason in HELD_BACK.values())


@pytest.mark.parametrize("fast_lane", [True, False])
async def test_what_does_not_end_is_counted_over_all_connections(fast_lane: bool) -> None:
    """Who comes in one piece is served beside it; and what was held is let go with its connection."""
    whole = request("POST", "/jsapi/send", b"appkey=demo&uid=v&requestType=action&actionType=visit")
    half = request("POST", "/jsapi/send", b"x" * 900, content_length="1000")
    async with piped(fast_lane=fast_lane, limits={"arriving_bytes": 5000}) as made:
        for _ in range(3):
            opened = [made.connect() for _ in range(10)]
            for connection, _ in opened:
                connection.data_received(half)
            refused = [pipe for _, pipe in opened if pipe.written]
            assert len(refused) == 5
            assert all(b" 503 " in pipe.written and b"connection: close" in pipe.written for pipe in refused)
            assert all(b"retry-after: 2" in pipe.written for pipe in refused)
            assert b" 200 OK" in await made.say(whole)
            for connection, _ in opened:
                connection.connection_lost(None)
        assert made.door.arriving.bytes == 0
        assert b" 200 OK" in await made.say(whole, [len(whole) - 5]), "all of it was let go"


@pytest.mark.parametrize("fast_lane", [True, False])
async def test_nothing_is_counted_for_good(fast_lane: bool) -> None:
    """However a request ends: whole, refused, or left."""
    body = b"appkey=demo&uid=v&requestType=action&actionType=visit"
    raw = request("POST", "/jsapi/send", body)
    async with piped(fast_lane=fast_lane) as made:
        for cut in range(1, len(raw)):
            assert b" 200 " in await made.say(raw, [cut])
            connection, _ = made.connect()
            connection.data_received(raw[:cut])
            assert made.door.arriving.bytes > 0 or cut < len(raw) - len(body)
            connection.connection_lost(None)
            assert made.door.arriving.bytes == 0
            await made.say(raw[:cut] + b"\0\r\n\0", [cut], requests=0)
            await made.say(raw * 2 + raw[:cut], [cut], requests=2)
        assert made.door.arriving.bytes == 0


@pytest.mark.parametrize("path", ["/jsapi/send", "/health/live"])
async def test_who_does_not_read_its_answers_is_left(path: str) -> None:
    async with piped(fast_lane=True) as made:
        made.config.timeout_keep_alive = 0
        connection, pipe = made.connect()
        connection.pause_writing()
        connection.data_received(request("GET", path))
        async with asyncio.timeout(SECONDS):
            while not pipe.closed:
                await asyncio.sleep(0.01)
        connection.connection_lost(None)
        await asyncio.gather(*made.state.tasks)


async def test_requests_for_asgi_do_not_queue_with_their_bodies() -> None:
    """One is under way and one waits; then nothing more is read."""
    async with piped(fast_lane=True) as made:
        connection, pipe = made.connect()
        for _ in range(2):
            assert not pipe.paused
            connection.data_received(request("POST", "/nowhere", b"x" * 100_000))
        assert pipe.paused
        async with asyncio.timeout(SECONDS):
            while pipe.written.count(b" 404 ") < 2:
                await asyncio.sleep(0.01)
        assert not pipe.paused
        connection.connection_lost(None)
        await asyncio.gather(*made.state.tasks)
