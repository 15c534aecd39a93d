"""How long `ochn trace` takes, with a million events in the log that five destinations have settled.

    python -m loadtests.tracing --data /tmp/traced --events 1000000 [--kafka HOST:PORT]

The log, the receipts and their index are written by the forwarder's own parts; the vendors are not called. Each trace is
the command as a person starts it, the interpreter's start included.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.ids import SystemIds, uuid7
from base.logs import quiet_logger
from base.metrics import log_metrics
from base.reasons import Filter
from eventlog.appending import append_durably
from eventlog.build import build_log
from eventlog.event import Event
from eventlog.log import Assigned, EventLog, LogReader, Position, StoredRecord
from eventlog.settings import LogSettings
from eventlog.topics import Topics
from forwarder.destinations.base import delivered, filtered
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.durable import Durable
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.receipt_index import ReceiptIndex
from forwarder.keeping.store import Store
from forwarder.retry import RetryPolicy
from forwarder.work import Work
from loadtests.filling import AGENT, sent_event

DESTINATIONS = ("footprints", "netcore", "engagelab", "ray", "expertsender")
FILTERS = {"ray": Filter.HIGH_VOLUME, "expertsender": Filter.NO_CONTACT}
GROUP = 1000  # events that are appended, and later committed, together
RATE = 1000  # events a second, as their ids tell it
CONFIG = """
profile = "dev"
[log]
kind = "{kind}"
topic_prefix = "{prefix}"
[log.kafka]
bootstrap = "{kafka}"
replication = 1
""" + "".join(f'[destinations.{name}]\nkind = "footprints"\nbase_url = "http://127.0.0.1:9"\n' for name in DESTINATIONS)


def an_event(number: int, moment: float) -> Event:
    data = {
        "uType": "p",
        "requestType": "action",
        "actionType": "visit",
        "additionalData": {"brands": ["Acme", "Umbrella"], "interests": ["shoes", "coats"]},
        "page": {"url": f"https://shop.example/sale/{number}", "title": "Autumn sale"},
    }
    event = sent_event("visit", uuid7(moment, random.randbytes(10)), f"70{number % 100_000:062x}", data, moment)
    return event._replace(clienteventid=f"client-{number}", useragent=AGENT)


async def fill(log: EventLog, data: Path, topics: Topics, events: int) -> list[tuple[Event, Position]]:
    """The last of each group, and where it stands; all are settled at every destination."""
    clock, writer, quiet = SystemClock(), await log.open_writer(), quiet_logger()
    durable = Durable(writer, RetryPolicy(0.5, 30.0), clock, SystemIds(), quiet)
    stores = {name: Store(data / "forwarder" / f"{name}.db", clock, quiet) for name in DESTINATIONS}
    index = {name: ReceiptIndex(topics.receipts.name, store) for name, store in stores.items()}
    ahead = {name: Ahead(data / "forwarder" / f"{name}.ahead", quiet) for name in DESTINATIONS}
    ledgers = {
        name: Ledger(name, index[name], ahead[name], durable=durable, clock=clock, window=10 * GROUP)
        for name in DESTINATIONS
    }
    began, known = time.time() - events / RATE, []
    for first in range(0, events, GROUP):
        group = [an_event(number, began + number / RATE) for number in range(first, min(events, first + GROUP))]
        moments = [began + number / RATE for number in range(first, first + len(group))]
        records = [event.to_record(topics.events.name, moment) for event, moment in zip(group, moments, strict=True)]
        positions = await append_durably(writer, records)
        known.append((group[-1], positions[-1]))
        await asyncio.gather(*(settle(ledger, group, positions, name) for name, ledger in ledgers.items()))
    for store, ledger in zip(stores.values(), ledgers.values(), strict=True):
        await store.close(60)
        ledger.close()
    await writer.close(10)
    return known


async def settle(ledger: Ledger, group: Sequence[Event], positions: Sequence[Position], name: str) -> None:
    parts: dict[int, list[tuple[Event, Position]]] = defaultdict(list)
    for event, position in zip(group, positions, strict=True):
        parts[position.partition].append((event, position))
    for number, part in parts.items():
        if number not in ledger.partitions:
            ledger.assign(number, part[0][1].offset)
        part.sort(key=lambda pair: pair[1].offset)
        works = [Work(event, number, position.offset, 0, 0.0) for event, position in part]
        records = [StoredRecord(position, b"", b"", 0.0) for _, position in part]
        ledger.take(number, records, works, part[-1][1].offset + 1)
        for work in works:
            outcome = filtered(FILTERS[name]) if name in FILTERS else delivered()
            ledger.settle([work], outcome, None if name in FILTERS else 200)
    for number, end in (await ledger.committable()).items():
        ledger.committed(number, end)


async def commit_all(log: EventLog, topics: Topics) -> None:
    """Each group has read to the end."""
    scanner = await log.open_scanner()
    bounds = await scanner.bounds(topics.events.name)
    for name in DESTINATIONS:
        reader = await log.open_reader(topics.group(name), topics.events.name, "earliest")
        await commit(reader, {number: end for number, (_, end) in bounds.items()})
        await reader.close(5)


async def commit(reader: LogReader, ends: dict[int, int]) -> None:
    left = set(ends)
    while left:
        item = await reader.next(1, 5)
        if isinstance(item, Assigned):
            await reader.commit(item.partition, ends[item.partition])
            left.discard(item.partition)


def traced(config: Path, data: Path, *arguments: str) -> tuple[float, str]:
    started = time.perf_counter()
    asked = [sys.executable, "-m", "ochn", "trace", *arguments, f"--config={config}", f"--data-dir={data}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kafka", default="")
    options = parser.parse_args()
    kind, prefix = "kafka" if options.kafka else "embedded", f"trace-{uuid.uuid4().hex[:8]}"
    options.data.mkdir(parents=True)
    config = options.data / "ochn.toml"
    config.write_text(CONFIG.format(kind=kind, prefix=prefix, kafka=options.kafka or "127.0.0.1:9092"))
    # Nothing may go by the spool: where an event stands is known only of what goes straight.
    kafka = {
        "bootstrap": options.kafka or "127.0.0.1:9092",
        "replication": 1,
        "spool_after": 3600.0,
        "request_timeout": 3600.0,
    }
    settings, topics = (
        LogSettings.model_validate({"kind": kind, "topic_prefix": prefix, "kafka": kafka}),
        Topics(prefix),
    )
    names, metrics = topics.all(DESTINATIONS), log_metrics(CollectorRegistry())

    async def prepare() -> list[tuple[Event, Position]]:
        log = build_log(settings, options.data, names, SystemClock(), metrics, quiet_logger())
        known = await fill(log, options.data, topics, options.events)
        await commit_all(log, topics)
        return known

    known = asyncio.run(prepare())
    report(config, options.data, known, options.events)


def report(config: Path, data: Path, known: list[tuple[Event, Position]], events: int) -> None:
    chosen = [known[0], *random.sample(known, min(8, len(known))), known[-1]]
    took = []
    for event, position in chosen:
        seconds, told = traced(config, data, event.id)
        assert f"at {position.offset}," in told, told
        assert (told.count("delivered"), told.count("filtered")) == (3, 2), told
        took.append(seconds)
    bare = min(traced(config, data, "--help")[0] for _ in range(3))
    client = statistics.median(traced(config, data, event.clienteventid or "")[0] for event, _ in chosen[1:4])
    nobody = traced(config, data, uuid7(time.time() - 5, random.randbytes(10)))[0]
    print(f"{events:,} events in the log, five destinations; seconds, the command's own start ({bare:.2f}) included")
    print(f"by id           median {statistics.median(took):.2f}, slowest of {len(took)} {max(took):.2f}")
    print(f"by a client's   median {client:.2f}")
    print(f"an id of nobody {nobody:.2f}")


if __name__ == "__main__":
    main()
