"""A connection without a network: bytes into our protocol, over a whole collector on a log in memory, bytes out."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from base.metrics import collector_metrics
from collector.door.asgi import build_app
from collector.door.asgi_door import AsgiDoor
from collector.door.door import Door
from collector.door.health import Health
from collector.judging.keys import KeyRing
from collector.protocol import Connection
from collector.settings import CollectorRoot
from eventlog.event import Event
from eventlog.log import LogState
from tests.collector.inside import KEYS, Inside, inside

Told = tuple[bytes, list[Event], list[Event]]
DATE = b"Thu, 01 Jan 2026 00:00:00 GMT"


class Pipe(asyncio.Transport):
    """Keeps what is written; closed, it tells its protocol so."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
        self.written = b""
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        assert not self.closed, "written to a closed transport"
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


@dataclass
class Piped:
    """A whole collector on a log in memory, with one seed and one clock; its connections are pipes."""

    house: Inside
    door: Door
    fast_lane: bool
    config: uvicorn.Config
    state: ServerState = field(default_factory=ServerState)

    def connect(self) -> tuple[Connection, Pipe]:
        pipe = Pipe()
        connection = Connection(
            self.door, fast_lane=self.fast_lane, config=self.config, server_state=self.state, app_state={}
        )
        connection.connection_made(pipe)
        return connection, pipe

    async def say(self, raw: bytes, cuts: Sequence[int] = (), requests: int | None = 1) -> bytes:
        """On a connection of its own, cut at `cuts`: all that is written until `requests` are answered (None: all that
        came whole) or it is closed."""
        connection, pipe = self.connect()
        before = self.state.total_requests
        for start, end in pairwise([0, *cuts, len(raw)]):
            if not pipe.closed:
                connection.data_received(raw[start:end])
        async with asyncio.timeout(60):
            while not pipe.closed and (
                connection._turns if requests is None else self.state.total_requests < before + requests
            ):
                await asyncio.sleep(0)
        connection.connection_lost(None)
        await asyncio.gather(*self.state.tasks)
        return pipe.written


@asynccontextmanager
async def piped(*, fast_lane: bool, **collector: Any) -> AsyncIterator[Piped]:
    """`collector`: settings of its table."""
    with tempfile.TemporaryDirectory() as folder:
        async with inside(Path(folder), warnings=True, **collector) as house:
            settings = CollectorRoot.model_validate({"profile": "dev", "keys": KEYS, "collector": collector})
            ring = KeyRing(settings.keys)
            metrics = collector_metrics(CollectorRegistry())
            door = Door(
                house.intake,
                keys=lambda: ring,
                settings=settings.collector,
                clock=house.clock,
                ids=house.ids,
                metrics=metrics,
            )
            app = build_app(AsgiDoor(door), Health(lambda: LogState("ok"), lambda: False), {}, None)
            config = uvicorn.Config(app, lifespan="off", timeout_keep_alive=75)
            config.load()
            made = Piped(house, door, fast_lane, config)
            made.state.default_headers = [(b"date", DATE)]
            yield made


async def talk(raw: bytes, *, fast_lane: bool, pieces: int = 1, requests: int = 1) -> Told:
    """What a new collector, one seed and one clock, writes for `raw` cut in `pieces`; its events, and what it holds back."""
    async with piped(fast_lane=fast_lane) as made:
        size = max(1, -(-len(raw) // pieces))
        written = await made.say(raw, range(size, len(raw), size), requests)
        return written, made.house.events(), made.house.quarantined()


def parts(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status line, headers in one order without the date, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, sorted(header for header in headers if not header.startswith(b"date:")), body
