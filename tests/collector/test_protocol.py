"""Our own protocol, over both of its ways on: what it counts and times, and in which order it answers."""

import asyncio
from functools import partial

import pytest
from prometheus_client import CollectorRegistry

from collector.settings import CollectorSettings, LimitSettings
from tests.collector.opened import OURS, OpenDoor, Way, open_door
from tests.collector.standin import Patient, StandIn
from tests.collector.wire import SECONDS, Answer, ask, chunked, connection, read_answer, request, until

pytestmark = pytest.mark.anyio

HASTY = CollectorSettings(limits=LimitSettings(header_seconds=0.3, body_seconds=0.3))
SEND = request("POST", "/jsapi/send", b"a=1")


@pytest.fixture(params=OURS)
def door(request: pytest.FixtureRequest) -> OpenDoor:
    way: Way = request.param
    return partial(open_door, way)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SECONDS):
        return await reader.read()


async def refused(port: int, raw: bytes) -> Answer:
    """The answer to something that is not heard to its end; then the connection ends."""
    answer = await ask(port, raw)
    assert answer.closed, answer
    return answer


async def test_headers_too_large_or_too_many(door: OpenDoor) -> None:
    intake, registry = StandIn(), CollectorRegistry()
    many = {f"x-{number}": "1" for number in range(62)}  # with host and content-length 64
    async with door(intake, registry=registry) as port:
        fits = await ask(port, request("POST", "/jsapi/send", b"a=1", **many))
        too_many = await refused(port, request("POST", "/jsapi/send", b"a=1", **many, one="more"))
        too_large = await refused(port, request("GET", "/health/live", cookie="x" * 16_400))
        in_pieces = await refused(port, request("POST", "/jsapi/send", b"", **{f"x-{n}": "y" * 500 for n in range(34)}))
    assert [answer.status for answer in (fits, too_many, too_large, in_pieces)] == [200, 431, 431, 431]
    assert registry.get_sample_value("ochn_requests_total", {"route": "other", "status": "431"}) == 3
    assert len(intake.arrivals) == 1


async def test_a_megabyte_of_one_header(door: OpenDoor) -> None:
    async with door() as port, connection(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nCookie: " + b"x" * 1_000_000)
        answer = await read_answer(reader)
        assert await read_all(reader) == b""
    assert answer.status == 431


async def test_a_url_too_long(door: OpenDoor) -> None:
    async with door() as port:
        fits = await ask(port, request("POST", "/jsapi/send?" + "x" * 8_000, b"a=1"))
        too_long = await refused(port, request("POST", "/jsapi/send?" + "x" * 65_536, b"a=1"))
    assert (fits.status, too_long.status) == (200, 414)


@pytest.mark.parametrize("sent", [b"POST /j", b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nCook"])
async def test_headers_that_do_not_end(door: OpenDoor, sent: bytes) -> None:
    async with door(settings=HASTY) as port, connection(port) as (reader, writer):
        writer.write(sent)
        answering = asyncio.create_task(read_answer(reader))
        for _ in range(10):  # a byte now and then buys no time
            await asyncio.sleep(0.02)
            if not answering.done():
                writer.write(b"x")
        answer = await answering
        assert await read_all(reader) == b""
    assert (answer.status, answer.json()["message"]) == (408, "slow_request")


async def test_a_second_request_that_does_not_end(door: OpenDoor) -> None:
    async with door(settings=HASTY) as port, connection(port) as (reader, writer):
        writer.write(SEND)
        assert (await read_answer(reader)).status == 200
        await asyncio.sleep(0.5)  # between requests nothing is owed
        writer.write(SEND[:20])
        assert (await read_answer(reader)).status == 408


async def test_a_body_too_large_for_its_route(door: OpenDoor) -> None:
    async with door() as port:
        for path in ("/jsapi/send", "/nowhere", "/jsapi/s%65nd"):
            announced = await refused(port, request("POST", path, content_length="1001"))
            counted = await refused(port, chunked("POST", path, *[b"x" * 100] * 11))
            assert (announced.status, counted.status) == (413, 413)
        assert (await ask(port, request("POST", "/jsapi/register", b"x" * 3000))).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\nHost: x\nContent-Length: 3\n\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost : x\r\nContent-Length: 3\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\n folded: 1\r\nContent-Length: 3\r\n\r\na=1",
        b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 ;x\r\na=1\r\nz\r\n\r\n",
        b"POST /jsapi/send HTTP/2.0\r\nHost: x\r\nContent-Length: 3\r\n\r\na=1",
        b"GET /jsapi/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_two_servers_could_read_differently(door: OpenDoor, raw: bytes) -> None:
    intake = StandIn()
    async with door(intake) as port, connection(port) as (reader, writer):
        writer.write(raw + SEND)
        answer = await read_answer(reader)
        assert await read_all(reader) == b""
    assert (answer.status, answer.headers["connection"], answer.json()["message"]) == (400, "close", "not_http")
    assert intake.arrivals == []


async def test_http_1_0_is_answered_and_left(door: OpenDoor) -> None:
    raw = b"POST /jsapi/send HTTP/1.0\r\nContent-Length: 3\r\n\r\na=1"
    async with door() as port:
        answers = [
            await ask(port, raw),
            await ask(port, raw.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")),
        ]
    assert [(answer.status, answer.closed) for answer in answers] == [(200, True)] * 2


async def test_who_wants_to_leave_is_left(door: OpenDoor) -> None:
    intake = StandIn()
    async with door(intake) as port:
        answer = await ask(port, request("POST", "/jsapi/send", b"a=1", connection="close") + SEND)
    assert (answer.status, answer.closed, len(intake.arrivals)) == (200, True, 1)


async def test_a_connection_is_kept(door: OpenDoor) -> None:
    async with door() as port, connection(port) as (reader, writer):
        for path in ("/jsapi/send", "/nowhere", "/mobileapi/geo"):
            writer.write(request("POST", path, b"a=1"))
            assert "connection" not in (await read_answer(reader)).headers


async def test_the_body_is_held_back_until_it_is_asked_for(door: OpenDoor) -> None:
    intake = StandIn()
    async with door(intake) as port, connection(port) as (reader, writer):
        for path in ("/jsapi/send", "/nowhere"):
            head = request("POST", path, content_length="3", expect="100-Continue")
            writer.write(head)
            assert (await read_answer(reader)).status == 100
            writer.write(b"a=1")
            assert (await read_answer(reader)).status in (200, 404)
        writer.write(request("POST", "/jsapi/send", content_length="1001", expect="100-continue"))
        assert (await read_answer(reader)).status == 413
    assert [arrival.body for arrival in intake.arrivals] == [b"a=1"]


async def test_who_is_asked_to_go_on_has_been_answered_before(door: OpenDoor) -> None:
    intake = Patient()
    async with door(intake) as port, connection(port) as (reader, writer):
        writer.write(SEND + request("POST", "/jsapi/send", content_length="3", expect="100-continue"))
        await until(lambda: intake.responds)
        intake.answer(b"a=1")
        assert [(await read_answer(reader)).status for _ in range(2)] == [200, 100]
        writer.write(b"a=2")
        await until(lambda: b"a=2" in intake.responds)
        intake.answer(b"a=2")
        assert (await read_answer(reader)).body == b"a=2"


async def test_an_upgrade_is_not_taken(door: OpenDoor) -> None:
    """Java's client asks for one with its first request, and goes on without."""
    wish = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABkAAQBAAAAAAIAAAAA"}
    intake = StandIn()
    async with door(intake) as port, connection(port) as (reader, writer):
        writer.write(request("POST", "/jsapi/send", b"a=1", **wish) + SEND)
        assert [(await read_answer(reader)).status for _ in range(2)] == [200, 200]
        writer.write(request("GET", "/nowhere", **wish) + SEND)
        assert [(await read_answer(reader)).status for _ in range(2)] == [404, 200]
        left = chunked("POST", "/jsapi/send", b"a", b"=1", **wish)
        for byte in left:
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await read_answer(reader)).status == 200
    assert [arrival.body for arrival in intake.arrivals] == [b"a=1"] * 4


async def test_answers_come_in_the_order_of_their_requests() -> None:
    intake = Patient()
    bodies = [b"a=%d" % number for number in range(5)]
    async with open_door("fast lane", intake) as port, connection(port) as (reader, writer):
        writer.write(b"".join(request("POST", "/jsapi/send", body) for body in bodies[:3]))
        writer.write(request("GET", "/nowhere"))
        writer.write(b"".join(request("POST", "/jsapi/send", body) for body in bodies[3:]))
        await until(lambda: len(intake.responds) == 5)
        intake.answer(*reversed(bodies))
        answers = [await read_answer(reader) for _ in range(6)]
    assert [answer.body for answer in answers if answer.status == 200] == bodies
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200, 200]


async def test_a_fault_is_told_behind_the_answers_before_it(door: OpenDoor) -> None:
    intake = Patient()
    async with door(intake) as port, connection(port) as (reader, writer):
        writer.write(SEND + b"nonsense\r\n\r\n")
        await until(lambda: intake.responds)
        intake.answer(b"a=1")
        statuses = [(await read_answer(reader)).status for _ in range(2)]
        assert await read_all(reader) == b""
    assert statuses == [200, 400]


async def test_trailers_are_no_headers(door: OpenDoor) -> None:
    intake = StandIn()
    raw = chunked("POST", "/jsapi/send", b"a=1").removesuffix(b"\r\n") + b"Origin: https://x.example\r\n\r\n"
    async with door(intake) as port:
        assert (await ask(port, raw)).status == 200
    assert "origin" not in intake.arrivals[0].headers


async def test_one_that_is_gone_leaves_nobody_unanswered(door: OpenDoor) -> None:
    intake = Patient()
    async with door(intake) as port, connection(port) as (reader, writer):
        async with connection(port) as (_, leaving):
            leaving.write(request("POST", "/jsapi/send", b"gone"))
            await until(lambda: b"gone" in intake.responds)
            leaving.transport.abort()
        writer.write(SEND)
        await until(lambda: len(intake.responds) == 2)
        await asyncio.sleep(0.05)
        intake.answer(b"gone", b"a=1")
        assert (await read_answer(reader)).body == b"a=1"


async def test_who_closes_only_its_own_half_is_answered(door: OpenDoor) -> None:
    intake = Patient()
    async with door(intake) as port, connection(port) as (reader, writer):
        writer.write(SEND)
        writer.write_eof()
        await until(lambda: intake.responds)
        await asyncio.sleep(0.05)
        intake.answer(b"a=1")
        answer = await read_answer(reader)
        assert await read_all(reader) == b""
    assert (answer.body, answer.headers["connection"]) == (b"a=1", "close")


async def test_who_does_not_read_is_not_read_from(door: OpenDoor) -> None:
    """Its answers fill its buffers and ours; then its requests wait in the network, and everybody else is served."""
    asked = 200_000
    intake = StandIn()
    async with door(intake) as port, connection(port) as (_, writer):
        writer.transport.set_write_buffer_limits(high=1 << 30)
        writer.write(SEND * asked)
        before = -1
        async with asyncio.timeout(60):
            while before != len(intake.arrivals):
                before = len(intake.arrivals)
                await asyncio.sleep(0.5)
        assert 0 < before < asked
        assert (await ask(port, SEND)).status == 200
        writer.transport.abort()
