"""A replay, and what is listed for one, while Kafka is away and the spool keeps what was sent again."""

import time
from pathlib import Path
from uuid import uuid4

import pytest

from base.clock import SystemClock
from eventlog.appending import append_durably
from eventlog.errors import LogUnavailable
from eventlog.event import Event
from eventlog.log import EventLog, Record
from eventlog.memory import MemoryLog
from eventlog.spooled import wrap
from eventlog.topics import Topics
from forwarder.keeping.dead_letters import DESTINATION_HEADER
from ochn.kept import Kept
from ochn.replaying.resending import Journal, Resender
from ochn.served import settings_of
from tests.forwarder.small import make_event
from tests.support.kafka import Kafka
from tests.support.kafka_log import a_log
from tests.support.spooled import OURS, a_spool, spooling, until_direct

pytestmark = pytest.mark.anyio


def a_resender(log: EventLog, spool: EventLog | None, directory: Path) -> Resender:
    journal = Journal(directory, "dead-letters")
    return Resender(log=log, spool=spool, topics=OURS, journal=journal, clock=SystemClock(), rate=100.0)


async def test_what_a_killed_replay_left_in_the_spool_is_not_sent_twice(tmp_path: Path) -> None:
    """Killed when Kafka was away: its step stands in the spool, and in its journal as not done."""
    kafka, spool, now = MemoryLog(), a_spool(tmp_path / "spool"), time.time()
    events = [make_event(number, "v")._replace(replayed=True) for number in range(3)]
    names = {f"{event.id}:fp": _again(event, now) for event in events}
    Journal(tmp_path, "dead-letters").write(doing=list(names), at=now)
    kafka.outage = LogUnavailable("away")
    async with spooling(kafka, spool, tmp_path / "spool") as writer:
        await append_durably(writer, list(names.values())[:2])
        kafka.outage = None
        assert await a_resender(kafka, spool, tmp_path).already() == set(list(names)[:2])
        assert await a_resender(kafka, None, tmp_path).already() == set(), "looked for in the log alone, they go twice"
        await until_direct(writer)
    assert await a_resender(kafka, spool, tmp_path).already() == set(list(names)[:2])


def _again(event: Event, now: float) -> Record:
    record = event.to_record(OURS.events.name, now)
    return record._replace(headers=(*record.headers, (DESTINATION_HEADER, b"fp")))


@pytest.mark.kafka
async def test_what_the_spool_erases_is_listed_no_more(kafka: Kafka, tmp_path: Path) -> None:
    """Else who asks for the same replay again, before the spool is drained, sends all of it again."""
    prefix = f"kept-{uuid4()}"
    topics, config = Topics(prefix), tmp_path / "ochn.toml"
    log = f'[log]\nkind = "kafka"\ntopic_prefix = "{prefix}"\nkafka = {{bootstrap = "{kafka.bootstrap}", replication = 1}}'
    config.write_text(f'profile = "dev"\ndata_dir = "{tmp_path}"\n{log}\n')
    parked, now = topics.parked, time.time()
    writer = await a_log(kafka.bootstrap, tmp_path, parked).open_writer()
    await append_durably(writer, [Record(parked.name, key, b"1", now) for key in (b"a:fp", b"b:fp", b"c:fp")])
    await writer.close(10)
    spool = await a_spool(tmp_path / "spool").open_writer()
    waiting = [Record(parked.name, b"b:fp", None, now), Record(parked.name, b"c:fp", b"2", now)]
    name = topics.spool.name
    await append_durably(spool, [wrap(record, name) for record in waiting])
    await spool.close(10)
    kept = Kept(settings_of(config, None), parked.name, lambda record: record.value, "parked event", "ochn parked list")
    assert await kept.all() == {"a:fp": b"1", "c:fp": b"2"}
