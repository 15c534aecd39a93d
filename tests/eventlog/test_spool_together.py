"""Two processes go back from the spool together: else a visitor's event by way of the one overtakes that of the other."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from eventlog.appending import append_durably
from eventlog.embedded import EmbeddedLog
from eventlog.errors import LogUnavailable
from eventlog.memory import MemoryLog
from eventlog.spool_state import STALE_SECONDS, SpoolState, Stage
from eventlog.spooling import SpoolingWriter
from tests.support.spooled import an_event, numbers, spooling, until_direct

pytestmark = pytest.mark.anyio
LATER = 1.5  # seconds that one of them waits longer than the other


class Alone(SpoolState):
    """As it was: each for itself."""

    def others(self) -> set[Stage]:
        return set()


class Two:
    """Processes of one host, in one: the second is known by another id that runs."""

    def __init__(self, one: SpoolingWriter, other: SpoolingWriter, kind: type[SpoolState]) -> None:
        self.writers, self.sent = (one, other), 0
        path = one._shown._path
        other._shown._path = path.with_name(f"{os.getppid()}.json")
        for writer in self.writers:
            writer._shown.__class__ = kind

    async def visits(self, over: Callable[[], bool]) -> None:
        """One visitor, who waits for each answer, and comes to each of them by turns."""
        while not over():
            await append_durably(self.writers[self.sent % 2], [an_event(b"key", self.sent)])
            self.sent += 1

    def are(self, state: str) -> bool:
        return all(writer._breaker.state == state for writer in self.writers)


async def gone_back(spool: EmbeddedLog, directory: Path, kind: type[SpoolState]) -> tuple[list[int], int]:
    """What the log holds after an outage of which one process is sooner over than the other, and how many were sent."""
    primary = MemoryLog()
    async with AsyncExitStack() as stack, asyncio.timeout(60):
        one = await stack.enter_async_context(spooling(primary, spool, directory))
        other = await stack.enter_async_context(spooling(primary, spool, directory))
        two = Two(one, other, kind)
        primary.outage = LogUnavailable("Kafka is away")
        await two.visits(lambda: two.sent == 10)
        other._breaker._steady = LATER
        primary.outage = None
        await two.visits(lambda: two.are("closed") or numbers(primary) != sorted(numbers(primary)))
        for writer in two.writers:
            await until_direct(writer)
    return numbers(primary), two.sent


async def test_together_they_keep_a_visitors_order(spool: EmbeddedLog, tmp_path: Path) -> None:
    found, sent = await gone_back(spool, tmp_path, SpoolState)
    assert found == list(range(sent))


async def test_each_for_itself_they_do_not(spool: EmbeddedLog, tmp_path: Path) -> None:
    """The negative control."""
    found, sent = await gone_back(spool, tmp_path, Alone)
    assert sorted(found) == list(range(sent))
    assert found != sorted(found)


async def test_who_stands_still_or_is_gone_is_not_waited_for(spool: EmbeddedLog, tmp_path: Path) -> None:
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka is away")
    async with spooling(primary, spool, tmp_path) as writer:
        await append_durably(writer, [an_event(b"key", 0)])
        frozen = writer._shown._path.with_name(f"{os.getppid()}.json")
        frozen.write_bytes(
            writer._shown._path.read_bytes().replace(str(os.getpid()).encode(), str(os.getppid()).encode())
        )
        assert writer._shown.others() == {"spooling"}
        before = frozen.stat().st_mtime - STALE_SECONDS
        os.utime(frozen, (before, before))
        primary.outage = None
        await until_direct(writer)
