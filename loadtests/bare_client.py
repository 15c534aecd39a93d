"""The least that a sender can do: `python -m loadtests.bare_client URL FILE CALLS EVENTS CONCURRENCY`.

aiohttp posts the bytes of FILE, so many CALLS, CONCURRENCY at a time, and looks at nothing. Prints calls a second and
the CPU microseconds of an event, where a call carries EVENTS.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop


async def post(session: aiohttp.ClientSession, url: str, body: bytes, numbers: Iterator[int]) -> None:
    headers = {"Content-Type": "application/json" if body[:1] == b"[" else "application/x-www-form-urlencoded"}
    for number in numbers:
        async with session.post(url, data=body, headers={**headers, "X-Event-Id": f"{number:032x}"}) as reply:
            await reply.read()


async def main(url: str, body: bytes, calls: int, events: int, concurrency: int) -> None:
    numbers = iter(range(calls))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(post(session, url, body, numbers) for _ in range(concurrency)))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sent = calls * events
    print(json.dumps({"events_per_second": sent / seconds, "cpu_us_per_event": cpu / sent * 1e6}))


if __name__ == "__main__":
    url, file, *numbers = sys.argv[1:]
    calls, events, concurrency = map(int, numbers)
    uvloop.run(main(url, Path(file).read_bytes(), calls, events, concurrency))
