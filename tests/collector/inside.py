"""The intake on a log in memory: arrivals in, replies and stored events out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from base.clock import ManualClock
from base.ids import SeededIds
from base.logs import quiet_logger
from base.metrics import collector_metrics
from collector.admission import Admission
from collector.arrival import Arrival, Reply
from collector.intake import Intake, build_intake
from collector.judging.bots import Bots
from collector.judging.keys import KeyRing
from collector.settings import CollectorRoot
from eventlog.errors import AppendError
from eventlog.event import Event
from eventlog.log import LogState, LogWriter, Position, Record, Settled
from eventlog.memory import MemoryLog
from eventlog.topics import Topics

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
NOW = 1_800_000_000.0
KEYS = {
    "demo": {"values": ["demo", "571e64183647a855d0sgf3a3"]},
    "hashing": {"values": ["hashing"], "privacy": {"address": "truncate", "personal": "hash"}},
    "dropping": {"values": ["dropping"], "privacy": {"address": "drop", "personal": "drop"}},
    "shop": {"values": ["shop"], "origins": ["https://shop.example"], "surfaces": ["web"], "tenant": "shop"},
}


class PickyLog:
    """A LogWriter that refuses what `refuse` has an error for."""

    def __init__(self, refuse: Callable[[Record], AppendError | None]) -> None:
        self.refuse = refuse
        self.records: list[Record] = []

    def append(self, records: Sequence[Record], settled: Settled) -> None:
        for record in records:
            asyncio.get_running_loop().call_soon(settled, record, self._store(record))

    def _store(self, record: Record) -> Position | AppendError:
        if refused := self.refuse(record):
            return refused
        self.records.append(record)
        return Position(record.topic, 0, len(self.records))

    def state(self) -> LogState:
        return LogState("ok")

    async def close(self, deadline: float) -> None:
        pass


@dataclass
class Inside:
    intake: Intake
    log: MemoryLog
    registry: CollectorRegistry
    ids: SeededIds
    clock: ManualClock
    data_dir: Path
    topics: Topics = field(default_factory=Topics)

    def arrival(self, path: str, body: bytes | str = b"", method: str = "POST", **headers: str) -> Arrival:
        """Header names with underscores for dashes; the body is a form unless `content_type` says otherwise."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        scheme = named.pop("scheme", "http")
        named.setdefault("content-type", FORM)
        body = body.encode() if isinstance(body, str) else body
        now = self.clock.now()
        return Arrival(method, path, named, body, "192.0.2.7", now, self.ids.event_id(now), scheme=scheme)

    async def take(self, arrival: Arrival) -> Reply:
        """Its one answer; a second one fails the test, as a future takes only one result."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.intake.take(arrival, answer.set_result)
        return await asyncio.wait_for(answer, 60)

    async def send(self, path: str, body: bytes | str = b"", method: str = "POST", **headers: str) -> Reply:
        return await self.take(self.arrival(path, body, method, **headers))

    async def send_json(self, path: str, body: Mapping[str, Any], **headers: str) -> Reply:
        return await self.send(path, orjson.dumps(body), content_type=JSON, **headers)

    def events(self) -> list[Event]:
        return self._stored(self.topics.events.name)

    def quarantined(self) -> list[Event]:
        return self._stored(self.topics.quarantine.name)

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0

    def _stored(self, topic: str) -> list[Event]:
        return [Event.from_record(record) for part in self.log.topics.get(topic, ()) for record in part.records]


@asynccontextmanager
async def inside(
    data_dir: Path, limits: Mapping[str, int] | None = None, writer: LogWriter | None = None, **collector: Any
) -> AsyncIterator[Inside]:
    """`collector`: settings of its table. `writer` in place of the log's own."""
    raw = {"profile": "dev", "data_dir": data_dir, "keys": KEYS, "collector": {**collector, "limits": limits or {}}}
    settings = CollectorRoot.model_validate(raw)
    log, registry, clock, ids = MemoryLog(), CollectorRegistry(), ManualClock(NOW), SeededIds(7)
    metrics, most = collector_metrics(registry), settings.collector.limits
    ring, bots = KeyRing(settings.keys), Bots(settings.bots)
    writer = writer or await log.open_writer()
    intake = build_intake(
        settings,
        writer,
        Topics(),
        keys=lambda: ring,
        bots=lambda: bots,
        admission=Admission(most.in_flight_requests, most.in_flight_bytes, metrics.in_flight),
        clock=clock,
        ids=ids,
        metrics=metrics,
        logger=quiet_logger(),
    )
    yield Inside(intake, log, registry, ids, clock, data_dir)
    await writer.close(1)


def header(reply: Reply, name: str) -> str:
    return ", ".join(value for each, value in reply.headers if each == name)


def body_of(reply: Reply) -> Any:
    return orjson.loads(reply.body)
