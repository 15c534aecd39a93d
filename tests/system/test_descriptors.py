"""More connections than a process has descriptors for (faults.md, 12): who is served stays served, the log's files open."""

import asyncio
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest

from tests.collector.wire import connection, read_answer, request
from tests.collector.worker import Worker, running
from tests.support.embedded import a_log
from tests.support.logs import scanned
from tests.support.product import OCHN
from tests.system.outside import eventually, form
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system-descriptors")]

DESCRIPTORS, CONNECTIONS, ROUNDS = 200, 400, 5
TRIES = 5
PATIENCE = 50.0  # seconds for an answer
REQUEST = request(
    "POST", "/jsapi/init", b"appkey=demo&email=ann@example.com", content_type="application/x-www-form-urlencoded"
)
FEW = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
UNBOUNDED = [sys.executable, "-m", "tests.support.sabotaged", "every_connection"]
FILES = {"OCHN_LOG__EMBEDDED__SEGMENT_BYTES": 65536}  # so that new ones are wanted all the time

Met = list[list[tuple[str, str]]]  # of each round, of each connection


def test_who_is_served_stays_served_and_the_log_is_quiet(tmp_path: Path, scale: Scale) -> None:
    with running(tmp_path, *FEW, *OCHN, "collector", **FILES) as collector:
        said, began = len(collector.process.lines), time.monotonic()
        met = ask_all(collector)
        lines, took = len(collector.process.lines) - said, time.monotonic() - began
        assert eventually(lambda: taken(collector), scale.patience)
        assert collector.process.stop() == 0
        served = [number for number, (status, _) in enumerate(met[0]) if status == "200"]
        assert DESCRIPTORS // 4 < len(served) < DESCRIPTORS
        assert {one[number][0] for one in met for number in served} == {"200"}
        assert {status for status, _ in met[0]} <= {"200", "503", "gone"}
        assert lines <= 10 * max(1.0, took)
        assert {event_id for one in met for _, event_id in one if event_id} <= kept(collector.data_dir)


def test_without_the_bound_the_log_has_none_left(tmp_path: Path) -> None:
    """The negative control: connections take what its files need, and who is served is refused. On a busy machine its
    first files may be open before all have come: until they are not."""
    for number in range(TRIES):
        (directory := tmp_path / str(number)).mkdir()
        with running(directory, *FEW, *UNBOUNDED, "collector", **FILES) as collector:
            met = ask_all(collector)
        if "503" in {status for one in met for status, _ in one}:
            return
    raise AssertionError(f"in none of {TRIES} tries")


def ask_all(collector: Worker) -> Met:
    met = asyncio.run(_ask_all(collector.port))
    for one in met:
        print(dict(Counter(status for status, _ in one)))
    return met


async def _ask_all(port: int) -> Met:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(connection(port)) for _ in range(CONNECTIONS)]
        return [await asyncio.gather(*(answer(*stream) for stream in streams)) for _ in range(ROUNDS)]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, str]:
    """Its status, or `gone`; and the id of an event that was taken."""
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(REQUEST)
            got = await read_answer(reader)
    except (OSError, EOFError, TimeoutError):
        return "gone", ""
    return str(got.status), got.headers.get("x-event-id", "") if got.status == 200 else ""


def taken(collector: Worker) -> bool:
    return form(collector.port, "/jsapi/init", {"appkey": "demo"}).status == 200


def kept(data_dir: Path) -> set[str]:
    records = asyncio.run(scanned(a_log(data_dir), "ochn.events"))
    return {orjson.loads(record.value)["id"] for record in records if record.value}
