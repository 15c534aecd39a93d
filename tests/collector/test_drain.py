"""The end of a server whose log is slow: who waits is answered, or told to come again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from base.serving import Server, listen
from collector.door.asgi_door import AsgiDoor
from collector.settings import CollectorSettings
from tests.collector.opened import OURS, WAYS, Way, make_door, protocol_of
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


@pytest.mark.parametrize("way", OURS)
async def test_who_rests_when_the_drain_begins_may_ask_once_more(way: Way) -> None:
    """Its request may be on its way already."""
    async with ending_server(way, drain_seconds=120) as (port, ending), connection(port) as (reader, writer):
        writer.write(WHOLE)
        assert (await read_answer(reader)).headers.get("connection") != "close"
        ending.set()
        await refused(port)
        writer.write(WHOLE)
        answer = await read_answer(reader)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await reader.read() == b""


@pytest.mark.parametrize("way", OURS)
async def test_who_goes_on_resting_is_let_go_before_the_drain_is_over(way: Way) -> None:
    async with ending_server(way, drain_seconds=16) as (port, ending), connection(port) as (reader, writer):
        writer.write(WHOLE)
        await read_answer(reader)
        ending.set()
        async with asyncio.timeout(10):
            assert await reader.read() == b""


async def test_who_is_let_in_as_the_door_closes_is_told_too() -> None:
    told = asyncio.Event()

    class Newcomer(asyncio.Protocol):
        def shutdown(self) -> None:
            told.set()

    ending, started = asyncio.Event(), asyncio.Event()
    server = Server(AsgiDoor(make_door(StandIn())), 5, started.set)
    with listen("127.0.0.1", 0, "test") as listening:
        serving = asyncio.create_task(server.serve_until(ending, listening))
        await started.wait()
        ending.set()
        await refused(listening.getsockname()[1])
        server.server_state.connections.add(newcomer := Newcomer())  # type: ignore[arg-type]
        async with asyncio.timeout(SECONDS):
            await told.wait()
        server.server_state.connections.discard(newcomer)
        await serving


@asynccontextmanager
async def ending_server(way: Way, drain_seconds: float) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Its port, and what ends it; it has ended when the context has."""
    ending, started = asyncio.Event(), asyncio.Event()
    door = make_door(StandIn())
    with listen("127.0.0.1", 0, "test") as listening:
        server = Server(AsgiDoor(door), drain_seconds, started.set, protocol_of(way, door))
        serving = asyncio.create_task(server.serve_until(ending, listening))
        await started.wait()
        async with asyncio.timeout(SECONDS):
            yield listening.getsockname()[1], ending
            ending.set()
            await serving
