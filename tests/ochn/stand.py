"""A destination `fp` over an embedded log, and the command that looks at both."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from typer.testing import CliRunner

from base.clock import rfc3339
from base.ids import SeededIds
from eventlog.event import Event
from eventlog.log import StoredRecord
from forwarder.settings import ForwarderSettings
from ochn.cli import app
from tests.forwarder.small import Chain, make_event
from tests.forwarder.stand import TOPICS, Upstream
from tests.forwarder.world import HeldClock, World
from tests.support.embedded import a_log

CONFIG = """
profile = "dev"
[destinations.fp]
kind = "footprints"
base_url = "http://127.0.0.1:9/"
"""


class Stand:
    def __init__(self, directory: Path) -> None:
        (directory / "ochn.toml").write_text(CONFIG)
        self.upstream, self.clock, self.ids = Upstream(), HeldClock(time.time() - 3600), SeededIds(3)
        self.directory = directory
        self.first = ""  # when the first event came
        log = a_log(directory, *TOPICS.all(("fp",)), clock=self.clock)
        settings = ForwarderSettings(park_after=0.1, first_retry=0.01, longest_retry=0.1)
        self.world = World(directory, Chain("fp"), self.upstream, log, self.clock, settings)

    def now(self) -> float:
        """Of the command: it reads the real clock."""
        return time.time()

    async def clock_moves(self) -> None:
        self.clock.advance(0.1)
        await asyncio.sleep(0.01)

    def event(self, subject: str, kind: str = "visit", **more: Any) -> Event:
        self.clock.advance(10)
        made = make_event(0, subject, kind, **more)
        moment = rfc3339(self.clock.now())
        made = made._replace(receivedtime=moment, time=moment)
        self.first = self.first or moment
        return made._replace(id=self.ids.event_id(self.clock.now()), clienteventid=f"eid-{subject}-{kind}")

    def do(self, *steps: Callable[[], Awaitable[Any]]) -> None:
        async def run() -> None:
            for step in steps:
                await step()

        asyncio.run(run())

    def bring(self, *events: Event) -> None:
        self.do(lambda: self.world.append(*events), self.world.deliver)

    def forget(self) -> None:
        """As on another host, whose store knows nothing: the topics tell it too."""
        for path in (self.directory / "forwarder").glob("fp.db*"):
            path.unlink()

    def logged(self) -> list[StoredRecord]:
        return asyncio.run(self.world.records(TOPICS.events.name))

    def trace(self, *arguments: str, code: int = 0) -> Any:
        told = self.ask("trace", *arguments, "--json", code=code)
        return orjson.loads(told) if code != 1 else told

    def outcomes(self, *arguments: str, code: int = 0) -> list[list[str]]:
        copies = self.trace(*arguments, code=code)["copies"]
        return [[row["outcome"] for row in copy["destinations"]] for copy in copies]

    def ask(self, *arguments: str, code: int = 0) -> str:
        here = [f"--config={self.directory / 'ochn.toml'}", f"--data-dir={self.directory}"]
        done = CliRunner().invoke(app, [*arguments, *here])
        assert done.exit_code == code, (done.output, done.exception)
        return done.output + (str(done.exception) if code == 1 else "")
