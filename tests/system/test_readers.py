"""Who reads the log is taken over, comes back too late, or finds that what it wanted is gone: rows 22 and 25."""

import asyncio
import fcntl
import json
import os
import re
import signal
import sqlite3
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from base.settings import CONFIG_VARIABLE
from eventlog.embedded.groups import committed_offset
from eventlog.embedded.upkeep import keep_up
from eventlog.settings import EmbeddedSettings
from tests.support.kafka import Kafka
from tests.support.product import Process
from tests.system.destination_rows import send, who
from tests.system.destination_stand import EVERY, Stand, a_stand, environ
from tests.system.outside import eventually
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(400), pytest.mark.xdist_group("system-readers")]

LEASE = 12.0  # seconds, and more than Kafka's session
ROUNDS = 3
IN_FLIGHT = 16 * 8  # events that are out at once, of a destination that takes one a call


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    with a_stand(tmp_path_factory.mktemp("readers"), scale) as stand:
        yield stand


@pytest.fixture(scope="module")
def on_kafka(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    with a_stand(tmp_path_factory.mktemp("readers"), scale, kafka=kafka.bootstrap) as stand:
        yield stand


@contextmanager
def another_forwarder(stand: Stand, data_dir: Path, more: dict[str, str]) -> Iterator[Process]:
    """In the same groups; once it holds something of each. It drains at the end."""
    config = stand.product.data_dir.parent / "ochn.toml"
    told = {**environ(stand.scale, more), CONFIG_VARIABLE: str(config), "OCHN_DATA_DIR": str(data_dir)}
    process = Process([sys.executable, "-m", "ochn.serving.child", "forwarder", "1"], told)
    process.launch()
    try:
        assert eventually(lambda: holds(process) == set(EVERY), stand.scale.deadline), process.lines[-20:]
        yield process
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(30.0)
    finally:
        process.end()


def holds(process: Process) -> set[str]:
    """Destinations of which it was given a partition."""
    entries = [json.loads(line) for line in list(process.lines) if '"partition.assigned"' in line]
    return {entry["destination"] for entry in entries}


@contextmanager
def frozen(pid: int, log: Path | None = None) -> Iterator[None]:
    """`log`: the embedded one. Who is stopped in the middle of a commit, an append or an opening stops all others
    there, which is not the row."""
    stop(pid)
    while log is not None and (is_locked(log / "groups.db") or any(map(is_held, log.rglob("*lock")))):
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
        stop(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def stop(pid: int) -> None:
    """Returns once it stands still: until it gets its turn, a thread may still come out of a call with a lock in hand."""
    os.kill(pid, signal.SIGSTOP)
    assert eventually(lambda: stands_still(pid))


def stands_still(pid: int) -> bool:
    try:
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:  # a thread has just ended
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


def is_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
    return False


def is_held(lock: Path) -> bool:
    """By one alone; those who share don't keep others waiting."""
    if lock.parent.name == "leases":
        return False
    with lock.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Offsets(threading.Thread):
    """Watches the embedded groups while the context lasts: `back` tells whose committed offset went back."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__()
        self._log, self._ending = data_dir / "log", threading.Event()
        self.back: set[str] = set()

    def run(self) -> None:
        highest = dict.fromkeys(EVERY, 0)
        while not self._ending.wait(0.03):
            for name in EVERY:
                found = committed_offset(self._log, f"ochn.{name}", "ochn.events") or 0
                self.back |= {name} if found < highest[name] else set()
                highest[name] = max(found, highest[name])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join()


def taken_over(stand: Stand) -> list[str]:
    """22: ours stands still until another has its leases, comes back while the other works, and has them again."""
    ours, data_dir = stand.product.pids()["forwarder"], stand.product.data_dir
    beside = data_dir.parent / f"beside{stand.rounds}"  # what a forwarder knows for itself; the log is one
    beside.mkdir()
    (beside / "log").symlink_to(data_dir / "log")
    with stand.load(), Offsets(data_dir) as offsets:
        time.sleep(1.0)
        with frozen(ours, data_dir / "log"):
            other = another_forwarder(stand, beside, {})
            other.__enter__()
            time.sleep(stand.scale.between_churns)
        time.sleep(stand.scale.between_churns)
        other.__exit__(None, None, None)
        time.sleep(stand.scale.between_churns)
    wrong = [f"{name}: its committed offset went back" for name in offsets.back]
    return wrong + stand.missing() + twice(stand, 2)


def twice(stand: Stand, rebalances: int) -> list[str]:
    """More of what is one event a call than can have been out when it was taken."""
    bound = rebalances * IN_FLIGHT
    found = {verdict.destination: verdict.duplicates for verdict in stand.verdicts()}
    print(found)
    return [f"{name}: {found[name]} twice" for name in ("footprints", "expertsender") if found[name] > bound]


def test_a_second_lease_holder_takes_over_and_the_first_is_refused(embedded: Stand) -> None:
    assert taken_over(embedded) == []


@pytest.mark.kafka
def test_forwarders_that_come_and_go_lose_nothing(on_kafka: Stand, scale: Scale, tmp_path: Path) -> None:
    """22: one comes and goes, and one is a zombie: frozen for longer than its session, it still means to commit."""
    more = kafka_of(on_kafka)
    with on_kafka.load():
        for number in range(scale.churns):
            with another_forwarder(on_kafka, tmp_path / f"host{number}", more):
                time.sleep(scale.between_churns)
        with another_forwarder(on_kafka, tmp_path / "zombie", more) as zombie:
            with frozen(zombie.popen.pid):
                time.sleep(LEASE)
            assert eventually(lambda: any('"partition.revoked"' in line for line in list(zombie.lines)), scale.deadline)
    assert on_kafka.missing() + twice(on_kafka, 2 * (scale.churns + 1) * 6) == []


@pytest.mark.kafka
def test_with_what_is_not_settled_committed_a_forwarder_that_comes_costs_events(
    kafka: Kafka, scale: Scale, tmp_path: Path
) -> None:
    """The negative control: what the first still had to send when its partitions went was nobody's any more."""
    command = [sys.executable, "-m", "tests.support.sabotaged", "commit_before_send"]
    with a_stand(tmp_path, scale, kafka=kafka.bootstrap, command=command, deadline=3.0) as stand:
        stand.product.fault(destination="footprints", fault="slow", delay=0.8)
        with stand.load():
            time.sleep(scale.between_churns)
            with another_forwarder(stand, tmp_path / "other", kafka_of(stand)):
                stand.product.fault()
        assert any("lost" in wrong and ": 0 lost" not in wrong for wrong in stand.missing())


def kafka_of(stand: Stand) -> dict[str, str]:
    return {"LOG__TOPIC_PREFIX": stand.prefix, "LOG__KIND": "kafka", "LOG__KAFKA__BOOTSTRAP": stand.bootstrap}


def gone_unread(stand: Stand, expire: "Expire") -> list[str]:
    """25: what is no more when its turn comes is counted exactly, shouted, and what follows it is delivered."""
    people = [who(stand, f"gap{number}") for number in range(10)]
    send(stand, people, 20, "before")
    assert stand.missing(deadline=stand.scale.deadline) == []
    time.sleep(1.0)  # all of it is committed
    counted, told = gaps(stand), len(stand.product.process.lines)
    with frozen(stand.product.pids()["forwarder"]):
        gone = send(stand, people, 60, "asked")  # a broker was asked for these before: they may stand in the socket
        time.sleep(1.0)
        gone |= send(stand, people, 200, "gone")
        expire(stand)
        send(stand, people, 50, "after")
    stand.oracle.acknowledged -= gone
    wrong = stand.missing()
    stand.oracle.acknowledged |= gone
    for verdict in stand.verdicts():
        name, lost = verdict.destination, len(verdict.lost)
        if not 0 < lost == gaps(stand).get(name, 0) - counted.get(name, 0):
            wrong.append(f"{name}: {lost} are gone, {gaps(stand).get(name, 0) - counted.get(name, 0)} counted")
    stand.oracle.acknowledged -= gone
    shouted = [line for line in stand.product.process.lines[told:] if "log.gap" in line]
    return wrong + ([] if shouted else ["nobody shouted"])


def gaps(stand: Stand) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{stand.product.admin_port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r'ochn_gap_records_total\{cause="expired",destination="(\w+)"\} ([\d.]+)', text)
    return {name: int(float(count)) for name, count in found}


Expire = Callable[[Stand], None]


def retire_segments(stand: Stand) -> None:
    """As upkeep does when they are old."""
    now, settings = time.time() + 3600.0, EmbeddedSettings(segment_seconds=1.0, retention_hours=0.1)
    keep_up(stand.product.data_dir / "log" / "ochn.events", "delete", settings, now)


def delete_records(stand: Stand) -> None:
    asyncio.run(_delete_records(stand.bootstrap, f"{stand.prefix}.events"))


async def _delete_records(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        everything = {TopicPartition(topic, number): RecordsToDelete(before_offset=-1) for number in range(6)}
        await admin.delete_records(everything)
    finally:
        await admin.close()


@pytest.mark.parametrize(
    ("log", "expire"),
    [("embedded", retire_segments), pytest.param("on_kafka", delete_records, marks=pytest.mark.kafka)],
)
def test_what_expired_unread_is_counted_and_passed(request: pytest.FixtureRequest, log: str, expire: Expire) -> None:
    assert gone_unread(request.getfixturevalue(log), expire) == []


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    command = [sys.executable, "-m", "tests.support.sabotaged", "careless"]
    with a_stand(tmp_path_factory.mktemp("careless"), scale, command=command, deadline=3.0) as stand:
        yield stand


def test_a_careless_forwarder_fails_at_both(careless: Stand) -> None:
    """The negative controls. An offset that went back does so for the moment until the other commits again: looked for
    until it is seen."""
    assert any("counted" in wrong for wrong in gone_unread(careless, retire_segments))
    assert any("went back" in wrong for _ in range(ROUNDS) for wrong in taken_over(careless))
