"""A vendor that costs little: Footprints' tracking calls and Netcore's activities, answered as contracts.md says.

`python -m loadtests.sink PORT` serves both, `/footprints/…` and `/netcore/…`, and `GET /figures`: what has come. Beside
it the sandbox, which keeps every call on the disk, would be what is measured. An event's id ends with its number, and
numbers ascend within a visitor: so a bit for each tells what came again (`again`), and the newest whether order was kept
(`backwards`). `--late N`: those with a number below N are counted as `late`; `--answer-ms N`: a call is answered so much
later than it came.
"""

import argparse
import asyncio
import signal
import sys
from collections import Counter
from itertools import count
from typing import cast

import httptools
import orjson
import uvloop

PID = b'{"status":"ok","success":true,"pid":"70%062x"}'


class Received:
    """What has come, summed; for each visitor the newest event's number."""

    def __init__(self, late: int) -> None:
        self._late = late
        self.sums: Counter[str] = Counter()
        self.newest: dict[bytes, int] = {}
        self._came = bytearray(1_000_000)
        self._pids = count()

    def answer(self, url: bytes, event: bytes, body: bytes) -> bytes:
        if url == b"/figures":
            return orjson.dumps({**self.sums, "visitors": len(self.newest)})
        self.sums["calls"] += 1
        if url.startswith(b"/netcore/"):
            for activity in orjson.loads(body):
                self._take(activity["annonid"].encode(), activity["activity_params"]["event_id"].encode())
            return b'{"status":"success"}'
        if url.endswith(b"/init"):
            self.sums["inits"] += 1
            return PID % next(self._pids)
        _, _, visitor = body.partition(b"uid=")
        self._take(visitor[:64], event)
        return b"{}"

    def _take(self, visitor: bytes, event: bytes) -> None:
        number = int(event[-12:], 16)
        self._came.extend(bytes(max(0, number + 1 - len(self._came))))
        if self._came[number]:
            self.sums["again"] += 1
            return
        self._came[number] = 1
        self.sums["events"] += 1
        self.sums["late"] += number < self._late
        newest = self.newest.get(visitor, -1)
        self.sums["backwards"] += number < newest
        self.newest[visitor] = max(number, newest)


class Connection(asyncio.Protocol):
    """`delay`: seconds until a call is answered."""

    def __init__(self, received: Received, delay: float) -> None:
        self._received = received
        self._delay = delay
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._url = self._event = b""
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-event-id":
            self._event = value

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._received.answer(self._url, self._event, b"".join(self._body))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        reply = head % len(body) + body
        if self._delay and self._url != b"/figures":
            asyncio.get_running_loop().call_later(self._delay, self._write, reply)
        else:
            self._write(reply)

    def _write(self, reply: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(reply)


async def serve(port: int, late: int, delay: float) -> None:
    loop, ending, received = asyncio.get_running_loop(), asyncio.Event(), Received(late)
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    await loop.create_server(lambda: Connection(received, delay), "127.0.0.1", port)
    await ending.wait()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="A vendor that costs little.")
    parser.add_argument("port", type=int)
    parser.add_argument("--late", type=int, default=0, metavar="N")
    parser.add_argument("--answer-ms", type=float, default=0.0, metavar="N")
    given = parser.parse_args(arguments)
    uvloop.run(serve(given.port, given.late, given.answer_ms / 1000))


if __name__ == "__main__":
    main(sys.argv[1:])
