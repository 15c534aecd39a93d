"""The least that a server can do with a post: read it, and always give the same answer.

`uvicorn loadtests.bare:app` is ASGI over uvicorn's own protocol; `python -m loadtests.bare PORT` is the fast lane of our
protocol, its door and metrics included, with nothing behind them.
"""

import asyncio
import signal
import sys

import uvloop
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from base.clock import SystemClock
from base.ids import SystemIds
from base.metrics import collector_metrics
from base.reasons import Refusal
from base.serving import Server, listen
from collector.arrival import Arrival, Reply, Respond
from collector.door.door import Door
from collector.judging.keys import KeyRing
from collector.protocol import build_protocol
from collector.settings import CollectorSettings

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b"{}"})


class Nothing:
    """Behind the door."""

    def take(self, _arrival: Arrival, respond: Respond) -> None:
        respond(Reply(200, b"{}"))

    def refuse(self, _reason: Refusal) -> Reply:
        return Reply(400, b"{}")


async def serve(port: int) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    door = Door(
        Nothing(),
        keys=lambda: KeyRing({}),
        settings=CollectorSettings(),
        clock=SystemClock(),
        ids=SystemIds(),
        metrics=collector_metrics(CollectorRegistry()),
    )
    with listen("127.0.0.1", port, "the first argument") as listening:
        await Server(app, 1, http=build_protocol(door, fast_lane=True)).serve_until(ending, listening)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
