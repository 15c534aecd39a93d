"""Commits are made beside the reading: what one of them finds may be about an assignment that is over."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from eventlog.errors import Fenced
from eventlog.log import Assigned, Item, LogReader, LogScanner, LogWriter, Revoked, Start
from eventlog.memory import MemoryLog
from forwarder.transport import Reply, Request
from tests.forwarder.small import Batches, Chain
from tests.forwarder.stand import Upstream, numbered
from tests.forwarder.world import HeldClock, World

pytestmark = pytest.mark.anyio


@dataclass
class TakenAndGivenBack:
    """A log whose reader loses its partition in the middle of its first commit, and has it again before that returns."""

    inner: MemoryLog = field(default_factory=MemoryLog)
    reader: LogReader | None = None
    again: asyncio.Event = field(default_factory=asyncio.Event)
    lost: int = 0
    _revoked: Revoked | None = None
    _given_back: bool = False

    async def open_writer(self) -> LogWriter:
        return await self.inner.open_writer()

    async def open_scanner(self) -> LogScanner:
        return await self.inner.open_scanner()

    async def open_reader(self, group: str, topic: str, start: Start) -> LogReader:
        self._asked = (group, topic, start)
        self.reader = await self.inner.open_reader(group, topic, start)
        return self

    async def next(self, max_records: int, wait: float) -> Item | None:
        assert self.reader is not None
        if self._given_back:
            self.again.set()
        item = None if self._revoked else await self.reader.next(max_records, wait)
        if self._revoked is not None:
            item, self._revoked = self._revoked, None
        self._given_back = isinstance(item, Assigned) and self.lost > 0
        return item

    async def commit(self, partition: int, offset: int, note: str = "") -> None:
        assert self.reader is not None
        if self.lost:
            await self.reader.commit(partition, offset, note)
            return
        self.lost += 1
        await self.reader.close(1)
        self.reader = await self.inner.open_reader(*self._asked)
        self._revoked = Revoked(self._asked[1], partition)
        await asyncio.wait_for(self.again.wait(), 60)
        raise Fenced("it was taken while it was committed")

    async def close(self, deadline: float) -> None:
        assert self.reader is not None
        await self.reader.close(deadline)


async def test_a_commit_that_comes_too_late_loses_no_partition_that_is_ours_again(tmp_path: Path) -> None:
    log, upstream = TakenAndGivenBack(), Upstream()
    world = World(tmp_path, Chain(), upstream, log, HeldClock())
    issued = list(numbered(300, 100))
    await world.append(*issued)
    await world.deliver()
    assert set(upstream.ids()) == {event.id for event in issued}
    assert log.lost == 1


@dataclass
class Looking(Upstream):
    """Notes which of a visitor's events it has taken, and that stand in no `file`, as that visitor's next call comes."""

    file: Path = Path()
    unwritten: list[str] = field(default_factory=list)

    async def send(self, request: Request, deadline: float) -> Reply:
        written = self.file.read_text()
        for subject in {event["subject"] for event in orjson.loads(request.body)["events"]}:
            self.unwritten += [one for one in self.of(subject) if one not in written]
        return await super().send(request, deadline)


@pytest.mark.parametrize("kind", [Chain, Batches])
async def test_what_is_settled_is_written_before_its_visitors_next_call(
    tmp_path: Path, kind: type[Chain] | type[Batches]
) -> None:
    destination = kind()
    upstream = Looking(pauses=lambda: 1, file=tmp_path / "forwarder" / f"{destination.name}.ahead")
    world = World(tmp_path, destination, upstream)
    await world.append(*numbered(300, visitors=7))
    await world.deliver()
    assert (len(upstream.received), upstream.unwritten) == (300, [])
