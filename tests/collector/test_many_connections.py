"""Many who say little, scaled down (faults.md, rows 13 and 14): they are ended, or cost nothing, and others are served."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from collector.protocol.reading import Reading
from collector.settings import CollectorSettings, LimitSettings
from tests.collector.opened import OURS, Way, make_door, open_door
from tests.collector.standin import StandIn
from tests.collector.wire import SECONDS, ask, connection, read_answer, request

pytestmark = pytest.mark.anyio
BOTH_WAYS = pytest.mark.parametrize("way", OURS)

MANY = 200
SEND = request("POST", "/jsapi/send", b"a=1")
SETTINGS = CollectorSettings(limits=LimitSettings(header_seconds=2, body_seconds=2))
Streams = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@asynccontextmanager
async def connections(port: int) -> AsyncIterator[Streams]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connection(port)) for _ in range(MANY)]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("before", "drip"),
    [
        (b"", b"POST /jsapi/send HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        (b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", b"a" * 80),
        (SEND, b"POST /jsapi/send HTTP/1.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
    ids=["headers", "body", "after an answer"],
)
async def test_who_drips_is_ended_and_others_are_served(way: Way, before: bytes, drip: bytes) -> None:
    async with open_door(way, settings=SETTINGS) as port, connections(port) as slow:
        for reader, writer in slow:
            writer.write(before)
            if before == SEND:
                assert (await read_answer(reader)).status == 200
        answering = [asyncio.create_task(read_answer(reader)) for reader, _ in slow]
        for place in range(20):
            for (_, writer), answer in zip(slow, answering, strict=True):
                if not answer.done():
                    writer.write(drip[place : place + 1])
            assert (await ask(port, SEND)).status == 200
            await asyncio.sleep(0.02)
        async with asyncio.timeout(SECONDS):
            answers = await asyncio.gather(*answering)
            rest = [await reader.read() for reader, _ in slow]
    assert {answer.status for answer in answers} == {408}
    assert set(rest) == {b""}


def test_who_rests_keeps_no_body() -> None:
    door, size = make_door(StandIn(), settings=CollectorSettings()), 400_000
    raw = request("POST", "/jsapi/send", b"x" * size)
    tracemalloc.start()
    readings = [Reading(door, "192.0.2.7", "http", lambda _request: None) for _ in range(20)]
    for reading in readings:
        assert reading.feed(raw) is None
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < size


@BOTH_WAYS
async def test_who_rests_may_rest(way: Way) -> None:
    async with open_door(way, settings=SETTINGS) as port, connections(port) as idle:
        await asyncio.sleep(2.5)  # longer than a request may take
        assert (await ask(port, SEND)).status == 200
        for _, writer in idle:
            writer.write(SEND)
        async with asyncio.timeout(SECONDS):
            assert {(await read_answer(reader)).status for reader, _ in idle} == {200}
