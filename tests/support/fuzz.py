"""Spoilt requests against a whole collector, both ways through it: `make fuzz ARGS='--seed 7'`.

Whatever comes: both ways answer the same, never a 5xx, nothing raises, nothing stored that was not answered 200, no text
stored that was not sent; and neighbours' events are stored as they were sent. A failure prints the request's seed and
number, with which it comes again: `python -m tests.support.fuzz --seed 7 --start 4711 --count 1`.
"""

import argparse
import asyncio
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from eventlog.event import Event
from tests.collector.pipe import Piped, parts, piped
from tests.support.mutations import corpus, mutant

NEIGHBOUR: Final = b"appkey=demo&uid=neighbour-%d&requestType=action&actionType=visit&aditionalData[brands][0]=b%d"
EVERY: Final = 20  # requests between two of the neighbours'
AT_ONCE: Final = 2000  # requests of one collector
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_ID: Final = re.compile(rb"^x-event-id: ([0-9a-f-]{36})\r$", re.MULTILINE)
_IN_BATCH: Final = re.compile(rb'"id":"([0-9a-f-]{36})"')


class Failure(Exception):
    """What was broken, how to see it again, the request and the answers."""


async def fuzz(seed: int, start: int, count: int, prepare: Callable[[Piped], None] = lambda _: None) -> None:
    """Failure at the first request, by its number, that breaks a promise. `prepare` is given each collector first."""
    samples, raised = corpus(), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(str(context)))
    async with AsyncExitStack() as stack:
        ways = [
            await stack.enter_async_context(piped(fast_lane=fast, rates={"unlimited": ["192.0.2.0/24"]}))
            for fast in (True, False)
        ]
        for way in ways:
            prepare(way)
        for number in range(start, start + count):
            raw, cuts = mutant(seed, number, samples)
            written = [await _say(way, raw, cuts) for way in ways]
            stored, _ = [_new(way) for way in ways]
            what = _broken(raw, written, stored) or (raised and f"raised: {raised}")
            if not what and number % EVERY == 0:
                what = await _neighbour(ways, number)
            if what:
                again = f"python -m tests.support.fuzz --seed {seed} --start {number} --count 1"
                raise Failure(f"{what}\n  again: {again}\n  request: {raw!r}\n  cut at {cuts}\n  answers: {written!r}")


async def _say(way: Piped, raw: bytes, cuts: list[int]) -> bytes:
    try:
        return await way.say(raw, cuts, requests=None)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return f"raised {type(error).__name__}: {error}".encode()


def _new(way: Piped) -> list[Event]:
    """Stored since the last look: they are taken out."""
    parts = [part for topic in way.house.log.topics.values() for part in topic]
    new = [Event.from_record(record) for part in parts for record in part.records]
    for part in parts:
        part.records.clear()
    return new


def _broken(raw: bytes, written: list[bytes], stored: list[Event]) -> str:
    fast, slow = written
    if any(each.startswith(b"raised") for each in written):
        return "an exception came out of the protocol"
    if parts(fast) != parts(slow):
        return "the two ways do not say the same"
    statuses = [int(status) for status in _STATUS.findall(fast)]
    if (fast and not statuses) or any(status >= 500 for status in statuses):
        return f"answered {statuses}"
    told = {each.decode() for pattern in (_ID, _IN_BATCH) for each in pattern.findall(fast)}
    if told != {event.id for event in stored}:
        return f"stored {len(stored)}, told {len(told)}"
    unsent = [text for event in stored for text in _texts(event.data) if not _was_sent(text, raw)]
    return f"stored what was not sent: {unsent}" if unsent else ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _was_sent(text: str, raw: bytes) -> bool:
    """Only plain texts are looked for, and none in bodies that are packed: what they say stands nowhere as it is."""
    if b"gzip" in raw.lower() or b"chunked" in raw.lower() or b"utf-16" in raw.lower() or b"\\" in raw:
        return True
    sent = unquote_to_bytes(raw.replace(b"+", b" "))
    text = text.rpartition("%")[0] or text  # a body may end amid a percent sign and its digits
    return (
        not text.isascii() or text.encode() in sent or text.encode() in unquote_to_bytes(sent) or text.encode() in raw
    )


async def _neighbour(ways: list[Piped], number: int) -> str:
    """A good request right behind the bad ones."""
    body = NEIGHBOUR % (number, number)
    raw = b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answers = [await _say(way, raw, []) for way in ways]
    stored = [(event.subject, event.data.get("additionalData")) for way in ways for event in _new(way)]
    good = stored == [(f"neighbour-{number}", {"brands": [f"b{number}"]})] * 2
    return "" if good and all(b" 200 OK" in answer for answer in answers) else f"a neighbour got {answers}, {stored}"


def _some(seed: int, start: int, count: int) -> int:
    asyncio.run(fuzz(seed, start, count))
    return count


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Spoilt requests against a whole collector.")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}: {given.count:,} requests, {given.jobs} at a time", flush=True)
    began, done, shown = time.monotonic(), 0, 0.0
    end = given.start + given.count
    with ProcessPoolExecutor(given.jobs) as pool:
        tasks = [pool.submit(_some, given.seed, at, min(AT_ONCE, end - at)) for at in range(given.start, end, AT_ONCE)]
        for task in as_completed(tasks):
            if (error := task.exception()) is not None:
                pool.shutdown(wait=False, cancel_futures=True)
                print(error)
                return 1
            done += task.result()
            if (now := time.monotonic() - began) - shown > 5 or done == given.count:
                shown = now
                print(f"{done:,} of {given.count:,}, {done / now:,.0f}/s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
