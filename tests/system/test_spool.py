"""Kafka frozen, killed, half gone, without its topic, with a smaller limit; the spool's disk full, and failing
(faults.md, 4 to 8 and 24). What was answered 2xx arrives, and all goes on by itself."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.corpus import Reply
from tests.support.kafka import KafkaServer
from tests.support.kafka_log import lower_limit
from tests.support.tools import require
from tests.system.outside import eventually, form
from tests.system.scale import Scale
from tests.system.spool_stand import ENOUGH, Stand, a_pair, a_stand, filled, met

pytestmark = [
    pytest.mark.system,
    pytest.mark.kafka,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("system-spool"),
]

LIMIT = 20_000  # bytes; a visit of 99 brands has five times as many
Pair = tuple[KafkaServer, KafkaServer]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with a_pair(tmp_path_factory.mktemp("pair")) as brokers:
        yield brokers


@pytest.fixture(scope="module")
def stand(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with a_stand(tmp_path_factory.mktemp("spool"), pair) as stand:
        yield stand


def test_frozen_then_killed_brokers_cost_a_moment_and_nothing_else(stand: Stand, scale: Scale) -> None:
    """Rows 5 and 6."""
    with stand.load() as clients:
        stand.until("ready", scale)
        with stand.frozen():
            stand.until("degraded", scale)
            time.sleep(scale.kafka_away)
            report = stand.spool()
            assert report["waiting"] > 0
            assert {process["breaker"] for process in report["processes"]} <= {"open", "half_open"}
        back_within(stand, scale, "was thawed")
        for broker in stand.brokers:
            broker.kill()
        stand.until("degraded", scale)
        time.sleep(scale.kafka_away / 2)
        for broker in stand.brokers:
            broker.launch()
        for broker in stand.brokers:
            broker.wait_ready()
        back_within(stand, scale, "was started again")
    print(f"clients met {dict(clients.met)}, slowest {clients.slowest:.2f} s")
    assert clients.met.keys() == {"200"}
    assert clients.slowest < scale.patience
    stand.assert_nothing_lost(clients, scale)


def test_a_partition_without_a_leader_sends_all_through_the_spool(stand: Stand, scale: Scale) -> None:
    """Row 4: half of the partitions have their only copy on the broker that is gone."""
    with stand.load() as clients:
        stand.until("ready", scale)
        with stand.frozen(stand.brokers[1]):
            stand.until("degraded", scale)
            time.sleep(scale.leaderless)
        back_within(stand, scale, "had its leader again")
    assert clients.met.keys() == {"200"}
    stand.assert_nothing_lost(clients, scale)


def test_a_full_disk_is_told_and_taken_again_once_it_has_room(stand: Stand, scale: Scale) -> None:
    """Row 7."""
    pid = stand.collector()
    with stand.load() as clients:
        stand.until("ready", scale)
        with stand.frozen():
            stand.until("degraded", scale)
            with filled(stand.disk):
                assert eventually(met(clients, "503"), scale.deadline)
                stand.until("down", scale)
                assert eventually(lambda: refused(stand), scale.deadline), "the last page is full too by now"
                taken = clients.met["200"]
            began = time.monotonic()
            assert eventually(met(clients, "200", taken), scale.deadline)
            print(f"taken again {time.monotonic() - began:.1f} s after there was room")
            stand.until("degraded", scale)
        back_within(stand, scale, "was thawed")
        assert eventually(met(clients, "200", ENOUGH), scale.deadline)
    assert clients.met.keys() == {"200", "503"}
    assert stand.collector() == pid, "it was not started anew"
    stand.assert_nothing_lost(clients, scale)


def test_a_flush_that_fails_costs_its_batch_and_is_never_tried_again(
    stand: Stand, scale: Scale, tmp_path: Path
) -> None:
    """Row 8; for the loss of power the spool is the embedded log (tests/eventlog/test_embedded_disk.py)."""
    trace = tmp_path / "trace.txt"
    with stand.load() as clients, stand.frozen():
        stand.until("degraded", scale)
        failing = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=3..4"]
        command = [require("strace"), "-f", "-y", "-p", str(stand.collector()), "-o", str(trace), *failing]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
            assert eventually(met(clients, "503"), scale.deadline)
            assert eventually(met(clients, "200", clients.met["200"] + 100), scale.deadline)
            tracer.send_signal(signal.SIGINT)
    stand.until("ready", scale)
    flushed = re.findall(r"fdatasync\(\d+<([^>]*\.seg)>.*= (-1 EIO|0)", trace.read_text())
    failed = [number for number, (_, result) in enumerate(flushed) if result != "0"]
    assert failed
    assert not [file for number in failed for file, _ in flushed[number + 1 :] if file == flushed[number][0]]
    stand.assert_nothing_lost(clients, scale)


def test_a_topic_that_is_gone_is_made_again(stand: Stand, scale: Scale) -> None:
    """Row 24. What stood in it is gone with it: so all is delivered first."""
    stand.until("ready", scale)
    asyncio.run(as_admin(stand, delete_events))
    with stand.load() as clients:
        time.sleep(scale.between_kills)
        back_within(stand, scale, "lost its topic")
    assert clients.met.keys() == {"200"}
    stand.assert_nothing_lost(clients, scale)


def test_a_lowered_limit_costs_only_what_is_larger(stand: Stand, scale: Scale) -> None:
    """Row 24."""
    with stand.load() as clients:
        stand.until("ready", scale)
        asyncio.run(as_admin(stand, lambda admin, topic: lower_limit(admin, stand.brokers[0].bootstrap, topic, LIMIT)))
        large = a_visit(stand, brands=99)
        assert large.status == 200
        assert eventually(lambda: quarantined(stand) == {large.headers["x-event-id"]}, scale.deadline)
        back_within(stand, scale, "took less")
    assert clients.met.keys() == {"200"}
    stand.assert_nothing_lost(clients, scale)
    assert quarantined(stand) == {large.headers["x-event-id"]}


@pytest.mark.parametrize("sabotage", ["forget_the_spooled", "believe_the_disk"])
def test_without_its_protection_it_loses(
    sabotage: str, pair: Pair, tmp_path_factory: pytest.TempPathFactory, scale: Scale
) -> None:
    """The negative controls: of the spool itself, and of hearing what the disk says."""
    command = [sys.executable, "-m", "tests.support.sabotaged", sabotage]
    with a_stand(tmp_path_factory.mktemp(sabotage.replace("_", "-")), pair, command) as stand:
        with stand.load() as clients, stand.frozen():
            stand.until("degraded", scale)
            with filled(stand.disk):
                time.sleep(3.0)  # longer than Kafka may take: what was on its way is given up
        stand.until("ready", scale)
        assert clients.met.keys() == {"200"}
        assert any(verdict.lost for verdict in stand.verdicts(deadline=10.0))


def back_within(stand: Stand, scale: Scale, since: str) -> None:
    began = time.monotonic()
    stand.until("ready", scale)
    print(f"direct {time.monotonic() - began:.1f} s after Kafka {since}")


def refused(stand: Stand) -> bool:
    answer = a_visit(stand)
    return (answer.status, answer.headers.get("retry-after")) == (503, "2")


def a_visit(stand: Stand, brands: int = 1) -> Reply:
    fields = {"appkey": "demo", "uid": "p1", "uType": "p", "requestType": "action", "actionType": "visit"}
    many = {f"aditionalData[brands][{number}]": "x" * 1000 for number in range(brands)}
    return form(stand.product.port, "/jsapi/send", {**fields, **many})


def quarantined(stand: Stand) -> set[str]:
    lines = stand.product.command("quarantine", "list", "--json", "--reason=event_too_large").stdout.splitlines()
    return {json.loads(line)["id"] for line in lines}


async def as_admin(stand: Stand, work: Callable[[AIOKafkaAdminClient, str], Awaitable[None]]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.brokers[0].bootstrap)
    await admin.start()
    try:
        await work(admin, f"{stand.prefix}.events")
    finally:
        await admin.close()


async def delete_events(admin: AIOKafkaAdminClient, topic: str) -> None:
    await admin.delete_topics([topic])
