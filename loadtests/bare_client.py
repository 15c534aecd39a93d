"""The least that a sender can do: `python -m loadtests.bare_client URL FILE CONCURRENCY`.

aiohttp posts the bytes of FILE, CONCURRENCY calls at a time, and looks at nothing. For each number of calls that it
reads from its input it makes so many and prints the CPU microseconds of one. A quarter as many come first and count
nothing: whoever had the core before has left its caches full of other things.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop


async def post(session: aiohttp.ClientSession, url: str, body: bytes, numbers: Iterator[int]) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for number in numbers:
        async with session.post(url, data=body, headers={**headers, "X-Event-Id": f"{number:032x}"}) as reply:
            await reply.read()


async def main(url: str, body: bytes, concurrency: int) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def make(calls: int) -> float:
            numbers, began = iter(range(calls)), time.process_time()
            await asyncio.gather(*(post(session, url, body, numbers) for _ in range(concurrency)))
            return time.process_time() - began

        for line in sys.stdin:
            calls = int(line)
            await make(calls // 4)
            print(await make(calls) / calls * 1e6, flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])))
