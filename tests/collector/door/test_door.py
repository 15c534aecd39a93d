import asyncio
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from collector.settings import CollectorSettings, KeySettings
from tests.collector.opened import WAYS, OpenDoor, Way, open_door
from tests.collector.standin import StandIn
from tests.collector.wire import SECONDS, ask, chunked, connection, read_answer, request, until

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(params=WAYS)
def door(request: pytest.FixtureRequest) -> OpenDoor:
    """Opens a door that is reached one of the ways, and tells its port."""
    way: Way = request.param
    return partial(open_door, way)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/jsapi/send", "/jsapi/send/", "/mobileapi/sensors", "/mobileapi/geo/"])
async def test_both_verbs_with_and_without_a_trailing_slash(door: OpenDoor, method: str, path: str) -> None:
    intake = StandIn()
    async with door(intake) as port:
        answer = await ask(port, request(method, path, b"a=1", content_type=FORM))
    (arrival,) = intake.arrivals
    assert (answer.status, answer.body) == (200, b"{}")
    assert (arrival.method, arrival.path, arrival.body) == (method, path, b"a=1")
    assert arrival.headers["content-type"] == FORM
    assert answer.headers["x-event-id"] == arrival.event_id
    assert arrival.client == "127.0.0.1"


async def test_chunks_are_one_body(door: OpenDoor) -> None:
    intake = StandIn()
    async with door(intake) as port:
        await ask(port, chunked("POST", "/jsapi/send", b"a=", b"1&b", b"=2"))
    assert intake.arrivals[0].body == b"a=1&b=2"


async def test_every_answer_is_json_that_no_cache_keeps(door: OpenDoor) -> None:
    async with door() as port:
        answers = [
            await ask(port, request("POST", "/jsapi/init", b"a=1")),
            await ask(port, request("GET", "/nowhere")),
            await ask(port, request("GET", "/jsapi/init")),
        ]
    for answer in answers:
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH"])
async def test_other_methods_are_told_which_ones_there_are(door: OpenDoor, method: str) -> None:
    async with door() as port:
        answer = await ask(port, request(method, "/jsapi/send"))
    assert (answer.status, answer.headers["allow"]) == (405, "OPTIONS, POST, PUT")


@pytest.mark.parametrize("path", ["/", "/jsapi", "/jsapi/sendx", "/mobileapi/lead", "/jsapi/send//", "/%00"])
async def test_unknown_paths(door: OpenDoor, path: str) -> None:
    async with door() as port:
        assert (await ask(port, request("POST", path, b"a=1"))).status == 404


@pytest.mark.parametrize("path", ["/mobileapi/content-delivery", "/mobileapi/recommendation-products/search"])
async def test_ad_serving_is_said_not_to_be_passed_through(door: OpenDoor, path: str) -> None:
    async with door() as port:
        answer = await ask(port, request("POST", path, b"a=1"))
        preflight = await ask(port, request("OPTIONS", path, origin="https://shop.example"))
    assert (answer.status, answer.json()["message"]) == (404, "not_passed_through")
    assert preflight.status == 204


async def test_an_announced_body_too_large_is_refused_before_it_comes(door: OpenDoor) -> None:
    async with door() as port, connection(port) as (reader, writer):
        writer.write(request("POST", "/jsapi/send", content_length="1001"))
        async with asyncio.timeout(SECONDS):
            answer = await read_answer(reader)
    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_a_body_is_counted_when_nobody_announced_its_size(door: OpenDoor) -> None:
    intake = StandIn()
    async with door(intake) as port:
        answer = await ask(port, chunked("POST", "/jsapi/send", *[b"x" * 100] * 11))
        lead = await ask(port, chunked("POST", "/jsapi/register", *[b"x" * 100] * 11))
    assert (answer.status, answer.closed) == (413, True)
    assert lead.status == 200
    assert [arrival.path for arrival in intake.arrivals] == ["/jsapi/register"]


async def test_who_sends_much_too_much_still_reads_the_answer(door: OpenDoor) -> None:
    async with door() as port, connection(port) as (reader, writer):
        writer.write(request("POST", "/jsapi/send", b"x" * 8_000_000))
        async with asyncio.timeout(SECONDS):
            await writer.drain()
            answer = await read_answer(reader)
            assert await reader.read() == b""
    assert answer.status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(door: OpenDoor) -> None:
    async with door() as port:
        answer = await ask(port, request("POST", "/jsapi/send", b"a=1", content_length="10"))
    assert (answer.status, answer.closed) == (408, True)


async def test_a_client_that_leaves_amid_its_body_stores_nothing(door: OpenDoor) -> None:
    intake, registry = StandIn(), CollectorRegistry()
    async with door(intake, registry=registry) as port:
        async with connection(port) as (_reader, writer):
            writer.write(request("POST", "/jsapi/send", b"a=1", content_length="10"))
            await writer.drain()
        await until(lambda: registry.get_sample_value("ochn_refused_total", {"reason": "client_gone"}))
    assert intake.arrivals == []


async def test_a_client_that_leaves_while_it_waits_harms_nobody(door: OpenDoor) -> None:
    intake = StandIn(held=asyncio.Event())
    async with door(intake) as port:
        async with connection(port) as (_reader, writer):
            writer.write(request("POST", "/jsapi/send", b"a=1"))
            await writer.drain()
            await until(lambda: intake.arrivals)
        assert intake.held is not None
        intake.held.set()
        answer = await ask(port, request("POST", "/jsapi/send", b"a=2"))
    assert answer.status == 200


async def test_pipelined_requests_are_answered_in_order(door: OpenDoor) -> None:
    async with door() as port, connection(port) as (reader, writer):
        writer.write(request("POST", "/jsapi/send", b"a=1") + request("GET", "/jsapi/send") + request("GET", "/no"))
        async with asyncio.timeout(SECONDS):
            statuses = [(await read_answer(reader)).status for _ in range(3)]
    assert statuses == [200, 405, 404]


async def test_a_preflight_is_answered_from_the_keys_together(door: OpenDoor) -> None:
    listed = KeySettings(values=("a",), origins=("https://a.example",))
    other = KeySettings(values=("b",), origins=("https://b.example",))
    async with door(keys={"a": listed, "b": other}) as port:
        answers = [
            await ask(port, request("OPTIONS", "/jsapi/send", origin=origin, access_control_request_method="POST"))
            for origin in ("https://a.example", "https://b.example", "https://c.example")
        ]
    assert [answer.status for answer in answers] == [204, 204, 204]
    allowed = [answer.headers.get("access-control-allow-origin") for answer in answers]
    assert allowed == ["https://a.example", "https://b.example", None]


async def test_the_client_behind_a_trusted_proxy(door: OpenDoor) -> None:
    intake = StandIn()
    settings = CollectorSettings(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    async with door(intake, settings=settings) as port:
        raw = request("POST", "/jsapi/send", b"a=1", x_forwarded_for="6.6.6.6, 198.51.100.7, 10.1.2.3")
        await ask(port, raw)
    assert intake.arrivals[0].client == "198.51.100.7"


async def test_requests_are_counted_by_route_and_status(door: OpenDoor) -> None:
    registry = CollectorRegistry()
    async with door(registry=registry) as port:
        await ask(port, request("POST", "/jsapi/send", b"a=1"))
        await ask(port, request("GET", "/somewhere/else"))
    assert registry.get_sample_value("ochn_requests_total", {"route": "jsapi_send", "status": "200"}) == 1
    assert registry.get_sample_value("ochn_requests_total", {"route": "other", "status": "404"}) == 1
