"""What is left of a soak, as files of its folder: `sent.jsonl` (the client's), `books.jsonl` (our log and receipts) and
`data/sandbox/calls.jsonl` (the vendors'). The verdict is made of these alone, so it can be made again.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eventlog.event import Event
from eventlog.log import LogScanner
from eventlog.topics import Topics
from forwarder.keeping.receipts import Receipt
from loadtests.soak_load import read
from loadtests.soak_verdict import Account, Entry, reckon
from ochn.log_access import open_log
from ochn.served import settings_of
from tests.support.oracle import ARRIVED

Told = dict[tuple[str, int, int], tuple[str, str]]  # destination, partition, offset -> outcome, reason


def keep_books(folder: Path) -> None:
    entries = asyncio.run(_entries(folder))
    (folder / "books.jsonl").write_text("".join(json.dumps(asdict(entry)) + "\n" for entry in entries))


async def _entries(folder: Path) -> list[Entry]:
    settings = settings_of(None, folder / "data")
    topics = Topics(settings.log.topic_prefix)
    scanner = await open_log(settings).open_scanner()
    told = await _receipts(scanner, topics.receipts.name)
    entries = []
    async for record in scanner.scan(topics.events.name):
        event, place = Event.from_record(record), (record.position.partition, record.position.offset)
        outcomes = {name: told[name, *place] for name in ARRIVED if (name, *place) in told}
        entries.append(Entry(event.id, event.clienteventid or "", outcomes))
    return entries


async def _receipts(scanner: LogScanner, topic: str) -> Told:
    """The later receipt of an offset wins."""
    told: Told = {}
    async for record in scanner.scan(topic):
        if record.value is None:
            continue
        receipt = Receipt.from_bytes(record.value)
        for offset in receipt.all:
            said = receipt.told(offset)
            told[receipt.destination, receipt.partition, offset] = (said["outcome"], str(said["reason"]))
    return told


def verdict(folder: Path) -> list[Account]:
    return reckon(read(folder / "sent.jsonl"), _books(folder), _calls(folder))


def _books(folder: Path) -> Iterator[Entry]:
    for line in (folder / "books.jsonl").read_text().splitlines():
        entry = json.loads(line)
        yield Entry(entry["id"], entry["client"], {name: tuple(told) for name, told in entry["outcomes"].items()})


def _calls(folder: Path) -> Mapping[str, list[Any]]:
    calls: dict[str, list[Any]] = {name: [] for name in ARRIVED}
    with (folder / "data/sandbox/calls.jsonl").open() as lines:
        for line in lines:
            call = json.loads(line)
            calls[call["destination"]].append(call)
    return calls
