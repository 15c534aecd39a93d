"""A connection without a network: bytes into our protocol, over a whole collector on a log in memory, bytes out."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from base.metrics import collector_metrics
from collector.asgi import build_app
from collector.asgi_door import AsgiDoor
from collector.door import Door
from collector.health import Health
from collector.keys import KeyRing
from collector.protocol import Connection
from collector.settings import CollectorRoot, CollectorSettings
from eventlog.event import Event
from eventlog.log import LogState
from tests.collector.inside import KEYS, inside

Told = tuple[bytes, list[Event], list[Event]]
DATE = b"Thu, 01 Jan 2026 00:00:00 GMT"


class Pipe(asyncio.Transport):
    """Keeps what is written; closed, it tells its protocol so."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("192.0.2.1", 80)})
        self.written = b""
        self.closed = False

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

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def talk(raw: bytes, *, fast_lane: bool, pieces: int = 1, requests: int = 1) -> Told:
    """What a new collector, one seed and one clock, writes for `raw` cut in `pieces`; its events, and what it holds back."""
    with tempfile.TemporaryDirectory() as folder:
        async with inside(Path(folder), warnings=True) as house:
            ring = KeyRing(CollectorRoot.model_validate({"profile": "dev", "keys": KEYS}).keys)
            metrics = collector_metrics(CollectorRegistry())
            door = Door(
                house.intake,
                keys=lambda: ring,
                settings=CollectorSettings(),
                clock=house.clock,
                ids=house.ids,
                metrics=metrics,
            )
            app = build_app(AsgiDoor(door), Health(lambda: LogState("ok"), lambda: False), {}, None)
            config, state, pipe = uvicorn.Config(app, lifespan="off"), ServerState(), Pipe()
            config.load()
            state.default_headers = [(b"date", DATE)]
            connection = Connection(door, fast_lane=fast_lane, config=config, server_state=state, app_state={})
            connection.connection_made(pipe)
            size = max(1, -(-len(raw) // pieces))
            for start in range(0, len(raw), size):
                connection.data_received(raw[start : start + size])
            async with asyncio.timeout(20):
                while state.total_requests < requests and not pipe.closed:
                    await asyncio.sleep(0)
            connection.connection_lost(None)
            await asyncio.gather(*state.tasks)
            return pipe.written, house.events(), house.quarantined()


def parts(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Status line, headers in one order without the date, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    return status, sorted(header for header in headers if not header.startswith(b"date:")), body
