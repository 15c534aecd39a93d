"""A forwarder of one destination over a log in memory (or any other), to be started, ended and killed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from base.clock import Clock, ManualClock
from base.ids import SeededIds
from base.logs import Logger, quiet_logger
from base.metrics import forwarder_metrics
from eventlog.appending import append_durably
from eventlog.erased import Erased
from eventlog.event import Event
from eventlog.log import EventLog, LogScanner, LogWriter, Record, StoredRecord
from eventlog.memory import MemoryLog
from eventlog.topics import Topics
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.delivery.status import Status
from forwarder.destinations.base import Destination
from forwarder.destinations.settings import DestinationSettings
from forwarder.settings import ForwarderSettings
from forwarder.transport import Transport
from tests.forwarder.stand import TOPICS, Upstream


class HeldClock(ManualClock):
    """Moves only when the test says so: who sleeps on it waits."""

    async def sleep(self, seconds: float) -> None:
        due = self.monotonic() + seconds
        while self.monotonic() < due:
            await asyncio.sleep(0.002)


@dataclass
class World:
    """A forwarder of one destination that can be started, ended and killed over the same log and directory."""

    directory: Path
    destination: Destination
    upstream: Transport
    log: EventLog = field(default_factory=MemoryLog)
    clock: Clock = field(default_factory=ManualClock)
    settings: ForwarderSettings = field(default_factory=ForwarderSettings)
    options: DestinationSettings = field(default_factory=DestinationSettings)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    erased: Erased = field(default_factory=lambda: Erased(read=True))
    build: Callable[[Target, Status, Surroundings], Delivery] = build_delivery
    topics: Topics = TOPICS
    logger: Logger = field(default_factory=quiet_logger)
    cpu: Callable[[], float] = lambda: 0.0  # by which the process is always idle

    async def append(self, *events: Event) -> None:
        await self.append_records(*(event.to_record(self.topics.events.name, self.clock.now()) for event in events))

    async def append_records(self, *records: Record) -> None:
        writer = await self.log.open_writer()
        await append_durably(writer, records)
        await writer.close(5)

    async def deliver(self, *, parked_too: bool = False) -> None:
        """Until everything that stands in the log is settled and committed, parked events aside; then ends."""
        async with self.running() as delivery:
            await self.until_committed()
            async with asyncio.timeout(60):
                while parked_too and delivery.watch.parking.count():
                    await asyncio.sleep(0.005)

    async def killed(self, after: int) -> "World":
        """Runs until the upstream has been called `after` times more, and ends without a word. A world to go on in."""
        upstream = self.upstream
        assert isinstance(upstream, Upstream)
        goal = len(upstream.calls) + after
        async with self._started(asyncio.Event(), 0.0) as (_, relaying):
            for _ in range(20_000):
                if len(upstream.calls) >= goal or relaying.done():
                    break
                await asyncio.sleep(0)
        return self

    async def until_committed(self) -> None:
        scanner = await self.log.open_scanner()
        group = self.topics.group(self.destination.name)
        async with asyncio.timeout(60):
            while await scanner.committed(group, self.topics.events.name) != {
                partition: end for partition, (_, end) in (await scanner.bounds(self.topics.events.name)).items() if end
            }:
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def running(self, drain: float = 5.0) -> AsyncIterator[Delivery]:
        ending = asyncio.Event()
        async with self._started(ending, drain) as (delivery, relaying):
            yield delivery
            if relaying.done():
                relaying.result()
            ending.set()
            await relaying

    @contextlib.asynccontextmanager
    async def _started(
        self, ending: asyncio.Event, drain: float
    ) -> AsyncIterator[tuple[Delivery, "asyncio.Task[None]"]]:
        writer = await self.log.open_writer()
        delivery = self.build(*await self._parts(writer))
        reader = await self.log.open_reader(
            self.topics.group(self.destination.name), self.topics.events.name, "earliest"
        )
        relaying = asyncio.create_task(delivery.relay.run(reader, ending, drain))
        try:
            yield delivery, relaying
        finally:
            ending.set()
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)
            delivery.watch.show()
            await delivery.store.close(5)
            await writer.close(5)

    async def _parts(self, writer: LogWriter) -> tuple[Target, Status, Surroundings]:
        around = Surroundings(
            settings=self.settings,
            data_dir=self.directory,
            topics=self.topics,
            writer=writer,
            scanner=await self.log.open_scanner(),
            clock=self.clock,
            ids=SeededIds(1),
            metrics=forwarder_metrics(CollectorRegistry()),
            log=self.logger,
            erased=self.erased,
            cpu=self.cpu,
        )
        name = self.destination.name
        path = self.directory / "forwarder" / f"{name}.status.json"
        target = Target(self.destination, self.options, lambda: self.upstream)
        return target, Status(name, self.destination.kind, path, self.clock), around

    async def records(self, topic: str) -> list[StoredRecord]:
        scanner: LogScanner = await self.log.open_scanner()
        return [record async for record in scanner.scan(topic)]

    async def standing(self, topic: str) -> dict[str, Mapping[str, Any]]:
        """key -> value of a compacted topic, without what was taken back."""
        latest = {record.key.decode(): record.value for record in await self.records(topic)}
        return {key: orjson.loads(value) for key, value in latest.items() if value is not None}
