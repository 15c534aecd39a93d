"""How far behind a destination is, on each log: also while nothing is assigned to it."""

import pytest

from base.clock import ManualClock
from eventlog.log import EventLog
from forwarder.lag import ASK_SECONDS, Lag
from tests.support.logs import fill, read, reading

pytestmark = pytest.mark.anyio


async def test_it_is_what_the_group_has_not_committed_while_nothing_is_assigned(log: EventLog, topic: str) -> None:
    held, clock = dict[int, int](), ManualClock()
    lag = Lag(topic=topic, group="group", scanner=await log.open_scanner(), ends=lambda: held, clock=clock)
    assert await lag.measure() == 0, "nothing has come yet"
    await fill(log, topic, 10)
    clock.advance(ASK_SECONDS)
    assert await lag.measure() == 10, "a group that never committed"
    async with reading(log, topic) as reader:
        await read(reader, 10)
        held[0] = 3
        assert await lag.measure() == 7, "what is settled, and committed later"
        await reader.commit(0, 2)
    held.clear()
    assert await lag.measure() == 8, "asked anew, once the partition has gone"
    await fill(log, topic, 1, first=10)
    assert await lag.measure() == 9
    held[0] = 11
    assert await lag.measure() == 0
