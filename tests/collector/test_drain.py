"""The end of a server whose log is slow: who waits is answered, or told to come again."""

import asyncio

import pytest

from base.serving import Server, listen
from collector.asgi_door import AsgiDoor
from collector.settings import CollectorSettings
from tests.collector.opened import WAYS, Way, make_door, protocol_of
from tests.collector.standin import StandIn
from tests.collector.wire import SECONDS, Answer, connection, read_answer, request

pytestmark = pytest.mark.anyio

WHOLE = request("POST", "/jsapi/send", b"a=1")


async def end_while_one_waits(way: Way, intake: StandIn, raw: bytes, *, released: bool = False) -> Answer:
    """The answer to a request that waits when the end is asked for: for the log, or for the rest of its body."""
    ending, started = asyncio.Event(), asyncio.Event()
    door = make_door(intake, settings=CollectorSettings())
    with listen("127.0.0.1", 0, "test") as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(
            Server(AsgiDoor(door), 1, started.set, protocol_of(way, door)).serve_until(ending, listening)
        )
        await started.wait()
        async with asyncio.timeout(SECONDS), connection(port) as (reader, writer):
            writer.write(raw)
            await asyncio.sleep(0.2)
            ending.set()
            await refused(port)
            if released and intake.held is not None:
                intake.held.set()
            answer = await read_answer(reader)
            assert await reader.read() == b""
            await serving
    return answer


async def refused(port: int) -> None:
    """Returns when nobody new is let in."""
    while True:
        try:
            async with connection(port):
                await asyncio.sleep(0.02)
        except (ConnectionRefusedError, ConnectionResetError):  # the latter while the port is just closing
            return


@pytest.mark.parametrize("way", WAYS)
async def test_what_becomes_durable_in_time_is_answered(way: Way) -> None:
    answer = await end_while_one_waits(way, StandIn(held=asyncio.Event()), WHOLE, released=True)
    assert (answer.status, answer.headers["connection"]) == (200, "close")


@pytest.mark.parametrize("way", WAYS)
async def test_what_does_not_is_told_to_come_again(way: Way) -> None:
    intake = StandIn(held=asyncio.Event())
    answer = await end_while_one_waits(way, intake, WHOLE)
    assert (answer.status, answer.json()["message"]) == (503, "draining")
    assert intake.held is not None
    intake.held.set()
    await asyncio.gather(*intake.waiting)  # the log's late answer finds nobody, and harms nobody


@pytest.mark.parametrize("way", WAYS)
async def test_a_body_that_does_not_end_is_told_to_come_again(way: Way) -> None:
    intake = StandIn()
    answer = await end_while_one_waits(way, intake, request("POST", "/jsapi/send", b"a=1", content_length="9"))
    assert (answer.status, intake.arrivals) == (503, [])
