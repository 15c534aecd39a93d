"""Where is my event? A forwarder brings events to each of their ends, and the command finds every one of them there."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from base.database import connect
from eventlog.appending import append_durably
from eventlog.log import Record
from eventlog.spooled import wrap
from forwarder.keeping.dead_letters import DESTINATION_HEADER, letter_key
from forwarder.transport import Reply
from ochn.tracing.copies import by_client_id, by_id, in_spool
from tests.forwarder.small import Chain
from tests.forwarder.stand import TOPICS
from tests.ochn.stand import Stand
from tests.support.embedded import a_log


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def refuse(call: dict[str, Any]) -> Reply | None:
    return Reply(400, {}, b"no") if call["purpose"] == "send" else None


def test_delivered_filtered_and_by_every_name(stand: Stand) -> None:
    visit, beacon = stand.event("v1"), stand.event("v1", "sensors")
    stand.bring(visit, beacon)
    for name in (visit.id, visit.id[:13], "eid-v1-visit"):
        found = stand.trace(name)
        assert (found["event"]["id"], found["event"]["clienteventid"]) == (visit.id, "eid-v1-visit")
        (copy,) = found["copies"]
        assert (copy["topic"], copy["partition"], copy["offset"]) == (TOPICS.events.name, 0, 0)
        assert [(row["outcome"], row["answer"]) for row in copy["destinations"]] == [("delivered", 200)]
    (row,) = stand.trace(beacon.id)["copies"][0]["destinations"]
    assert (row["outcome"], row["reason"]) == ("filtered", "high_volume")
    assert "delivered" in stand.ask("trace", visit.id)
    for unknown in (stand.event("v1").id, "eid-v2-visit"):
        assert "there is no event" in stand.trace(unknown, code=1)
    assert "is no time" in stand.trace("eid-v1-visit", "--since=yesterday", code=1)
    assert "there is no event" in stand.trace("eid-v1-visit", "--since=2030-01-01T00:00:00Z", code=1)


@pytest.mark.parametrize("name", ["01900000-0000-7000-8000-000000000001", "0fff0000-0000-7000-8000-000000000001"])
def test_a_clients_name_that_looks_like_an_id_of_another_time(stand: Stand, name: str) -> None:
    event = stand.event("v1")._replace(clienteventid=name)
    stand.bring(stand.event("v1"), event)
    assert stand.trace(name)["event"]["id"] == event.id
    assert "there is no event" in stand.trace(name[:-1] + "2", code=1)


def test_dead_says_why_and_what_it_was_sent_again_as(stand: Stand) -> None:
    event = stand.event("v1")
    stand.upstream.fault = refuse
    stand.bring(event)
    (row,) = stand.trace(event.id, code=5)["copies"][0]["destinations"]
    assert (row["outcome"], row["reason"], row["detail"], row["answer"], row["attempts"]) == (
        "dead",
        "refused",
        "no",
        400,
        1,
    )
    assert "dead-letters show" in stand.ask("trace", event.id, code=5)
    stand.ask("dead-letters", "replay", event.id)
    assert stand.outcomes(event.id, code=4) == [["dead"], ["waiting"]]
    stand.upstream.fault = lambda _call: None
    stand.do(stand.world.deliver)
    assert stand.outcomes(event.id) == [["dead"], ["delivered"]]
    assert "sent again to fp" in stand.ask("trace", event.id)


def test_what_is_sent_again_twice_is_told_to_the_end(stand: Stand) -> None:
    event = stand.event("v1")
    stand.upstream.fault = refuse
    stand.bring(event)
    stand.ask("dead-letters", "replay", event.id)
    stand.do(stand.world.deliver)
    assert stand.outcomes(event.id, code=5) == [["dead"], ["dead"]]
    much_later = stand.now() + 86_400.0
    again = event._replace(replayed=True).to_record(TOPICS.events.name, much_later)
    again = again._replace(headers=(*again.headers, (DESTINATION_HEADER, b"fp")))
    gone = Record(TOPICS.dead_letters.name, letter_key(event.id, "fp", (0, 1)), None, much_later)
    stand.upstream.fault = lambda _call: None
    stand.do(lambda: stand.world.append_records(again, gone), stand.world.deliver)
    assert stand.outcomes(event.id) == [["dead"], ["dead"], ["delivered"]]


def test_parked_and_what_ended_it(stand: Stand) -> None:
    early, after = stand.event("m1"), stand.event("v1")
    stand.bring(early, after)
    (row,) = stand.trace(early.id, code=4)["copies"][0]["destinations"]
    assert (row["outcome"], row["reason"]) == ("parked", "waits_for_contact")
    assert row["since"] < row["next_try"]
    stand.forget()
    assert stand.outcomes(early.id, code=4) == [["parked"]]
    assert stand.outcomes(after.id) == [["delivered"]]
    contact = stand.event("m1", "init", email="ann@x.example")
    stand.do(lambda: stand.world.append(contact), lambda: stand.world.deliver(parked_too=True))
    assert stand.outcomes(early.id) == [["delivered"]]
    stand.forget()
    assert stand.outcomes(early.id) == [["delivered"]]


def test_what_another_host_delivered_is_not_told_as_parked_here(stand: Stand) -> None:
    """Its partition has gone there: what waits of it here is of before."""
    early, contact = stand.event("m1"), stand.event("m1", "init", email="ann@x.example")
    stand.bring(early)
    here = {path: path.read_bytes() for path in (stand.directory / "forwarder").glob("fp.*")}
    stand.do(lambda: stand.world.append(contact), lambda: stand.world.deliver(parked_too=True))
    for path, kept in here.items():
        path.write_bytes(kept)
    assert stand.outcomes(early.id, code=4) == [["parked"]]  # so it would be told, while it holds the partition
    status = stand.directory / "forwarder" / "fp.status.json"
    status.write_bytes(orjson.dumps({**orjson.loads(status.read_bytes()), "partitions": []}))
    assert stand.outcomes(early.id) == [["delivered"]]


async def delivered_while_the_clock_moves(stand: Stand) -> None:
    delivering = asyncio.create_task(stand.world.deliver(parked_too=True))
    while not delivering.done():
        await stand.clock_moves()
    await delivering


def test_late_and_delivered_in_the_end(stand: Stand) -> None:
    destination, late = stand.world.destination, stand.event("v1")
    assert isinstance(destination, Chain)
    destination.batch = replace(destination.batch, late_after=1800.0)
    stand.clock.advance(2000.0)
    stand.upstream.fault = lambda _call: Reply(429, {"retry-after": "3600"})
    stand.bring(late)
    for _ in range(2):
        (row,) = stand.trace(late.id, code=4)["copies"][0]["destinations"]
        assert (row["outcome"], row["reason"]) == ("parked", "late")
        assert row["since"]
        assert "next_try" not in row  # after all that is in time
        assert "late" in stand.ask("trace", late.id, code=4)
        stand.forget()
    stand.upstream.fault = lambda _call: None
    stand.do(lambda: stand.world.append(stand.event("v2")), lambda: delivered_while_the_clock_moves(stand))
    for _ in range(2):
        assert stand.outcomes(late.id) == [["delivered"]]
        stand.forget()


def test_a_row_of_the_index_that_leads_too_far_is_no_end_of_the_search(stand: Stand) -> None:
    """A forwarder that stood still noted a receipt of its own behind those of who went on meanwhile."""
    first, second, early = stand.event("v1"), stand.event("v2"), stand.event("m1")
    stand.bring(first)
    stand.bring(second, early)
    with closing(connect(stand.directory / "forwarder" / "fp.db")) as index, index:
        index.executemany("INSERT INTO receipts VALUES (0, 0, ?, 0, 2, 0.0)", [(0,), (1,), (2,)])
    assert [stand.outcomes(event.id) for event in (first, second)] == [[["delivered"]], [["delivered"]]]
    (row,) = stand.trace(early.id, code=4)["copies"][0]["destinations"]
    assert (row["outcome"], row["reason"]) == ("parked", "waits_for_contact")
    assert row["since"] < row["next_try"]


def test_waiting_says_behind_what(stand: Stand) -> None:
    done, stuck, behind = stand.event("v0"), stand.event("v1"), stand.event("v2")
    stand.bring(done)
    stand.do(lambda: stand.world.append(stuck, behind))
    (row,) = stand.trace(behind.id, code=4)["copies"][0]["destinations"]
    assert (row["outcome"], row["behind"], row["lag"], row["stuck"]["id"]) == ("waiting", 1, 2, stuck.id)
    assert "stuck" not in stand.trace(stuck.id, code=4)["copies"][0]["destinations"][0]
    assert f"behind 1 of 2 events; the first of them is {stuck.id}" in stand.ask("trace", behind.id, code=4)


def test_quarantined_and_released(stand: Stand) -> None:
    event = stand.event("v1")._replace(quarantinereasons="bad_location")
    record = Record(TOPICS.quarantine.name, event.id.encode(), event.to_bytes(), stand.clock.now())
    stand.do(lambda: stand.world.append_records(record))
    found = stand.trace(event.id, code=5)
    assert (found["quarantined"], found["copies"]) == ({"reasons": ["bad_location"], "released": None}, [])
    assert "in quarantine: bad_location" in stand.ask("trace", event.id, code=5)
    assert stand.outcomes("eid-v1-visit", code=5) == []
    stand.ask("quarantine", "replay", event.id)
    stand.do(stand.world.deliver)
    found = stand.trace(event.id)
    assert found["quarantined"]["released"]
    assert [row["outcome"] for row in found["copies"][0]["destinations"]] == ["delivered"]


def test_what_waits_in_the_spool_is_told_while_kafka_is_away(stand: Stand, tmp_path: Path) -> None:
    event, config = stand.event("v1"), tmp_path / "ochn.toml"

    async def spool() -> None:
        writer = await a_log(tmp_path / "spool").open_writer()
        await append_durably(writer, [wrap(event.to_record(TOPICS.events.name, stand.clock.now()), TOPICS.spool.name)])
        await writer.close(5)

    stand.do(spool)
    config.write_text(f'{config.read_text()}[log]\nkind = "kafka"\n[log.kafka]\nbootstrap = "127.0.0.1:9"\n')
    for name in (event.id, "eid-v1-visit"):
        told = stand.trace(name, code=4)
        assert (told["event"]["id"], bool(told["spooled"]), told["copies"]) == (event.id, True, [])
    assert "the log can't be read" in stand.ask("trace", "another", code=1)


@pytest.mark.anyio
async def test_what_waits_in_the_spool_is_found_there(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    spool, event = a_log(tmp_path / "spool"), stand.event("v1")
    record = wrap(event.to_record(TOPICS.events.name, stand.clock.now()), TOPICS.spool.name)
    writer = await spool.open_writer()
    await append_durably(writer, [record])
    await writer.close(5)
    wanted, scanner = by_id(event.id), await spool.open_scanner()
    assert wanted is not None
    found = await in_spool(scanner, TOPICS, wanted)
    assert found is not None
    assert found.event == event
    other = by_client_id("another", None)
    assert await in_spool(scanner, TOPICS, other) is None
    reader = await spool.open_reader("spool", TOPICS.spool.name, "earliest")
    await reader.next(10, 1)
    await reader.next(10, 1)
    await reader.commit(0, 1)
    await reader.close(1)
    assert await in_spool(scanner, TOPICS, wanted) is None
