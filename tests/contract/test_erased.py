"""The list of who was erased, over every log: what it denies, for whom, and when."""

import asyncio
from typing import Any

import pytest

from base.clock import rfc3339
from eventlog.appending import append_durably
from eventlog.erased import Erased, key_record, take_in
from eventlog.event import Event
from eventlog.log import EventLog, Record
from tests.support.events import make_event
from tests.support.logs import TIME, scanned, writing

pytestmark = pytest.mark.anyio


async def append(log: EventLog, *records: Record) -> None:
    async with writing(log) as writer:
        await append_durably(writer, records)


async def known(log: EventLog, topic: str, erased: Erased | None = None) -> Erased:
    found = erased or Erased()
    await take_in(found, await log.open_scanner(), topic)
    return found


def at(moment: float, **more: Any) -> Event:
    return make_event()._replace(receivedtime=rfc3339(moment), **more)


async def test_what_came_before_is_denied_and_who_comes_back_is_not(log: EventLog, topic: str) -> None:
    await append(log, key_record(topic, bytes(range(32)), TIME))
    follower = await known(log, topic)
    assert (follower.read, follower.has_key, follower.denies(at(TIME))) == (True, True, False)
    await append(log, *follower.entries(topic, ["ann", "uid"], ["till"], TIME + 10))
    fresh = await known(log, topic)
    for erased in (fresh, await known(log, topic, follower)):
        assert erased.denies(at(TIME + 9, subject="ann"))
        assert erased.denies(at(TIME + 9, subject="till", person="uid"))
        assert not erased.denies(at(TIME + 10, subject="ann"))
        assert not any(erased.denies(at(TIME + 9, subject=who)) for who in ("bob", "till", "uid:known", ""))
        assert [erased.forgets(who, TIME + 9) for who in ("ann", "till", "bob")] == [True, True, False]
        assert not erased.forgets("ann", TIME + 10)
        assert not erased.forgets("ann", TIME, offset=erased.end)
    assert b"ann" not in b"".join(r.key + (r.value or b"") for r in await scanned(log, topic))
    await append(log, *fresh.entries(topic, ["ann"], [], TIME + 20))
    assert (await known(log, topic, fresh)).denies(at(TIME + 19, subject="ann"))


async def test_of_two_keys_at_once_all_hold_the_first(log: EventLog, topic: str) -> None:
    randoms = [bytes([number]) * 32 for number in (1, 2)]
    await asyncio.gather(*(append(log, key_record(topic, random, TIME)) for random in randoms))
    one, other = await known(log, topic), await known(log, topic)
    await append(log, *one.entries(topic, ["ann"], [], TIME + 10))
    assert (await known(log, topic, other)).denies(at(TIME, subject="ann"))


async def test_nobody_is_erased_where_there_is_no_list(log: EventLog, topic: str) -> None:
    erased = await known(log, f"{topic}.none")
    assert (erased.read, erased.has_key, erased.denies(at(TIME)), erased.forgets("ann", TIME)) == (
        True,
        False,
        False,
        False,
    )
