"""kill -9 of the broker that leads, of three that replicate to each other (faults.md, 3).

The others stand still for the moment before, so that what the leader alone has is lost with it: what was answered 2xx
must have stood on two.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.clients import Clients
from tests.support.kafka import KafkaServer, cluster
from tests.support.kafka_log import a_log
from tests.support.logs import scanned
from tests.support.oracle import Oracle, reconcile
from tests.support.product import OCHN, Product, get_json
from tests.system.outside import eventually
from tests.system.scale import Scale

pytestmark = [
    pytest.mark.system,
    pytest.mark.kafka,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("system-leader"),
]

CLIENTS, PAUSE = 64, 0.2
IN_FLIGHT = 2000  # faults.md's W: what a worker had on its way may arrive twice
ALONE = 1.0  # seconds in which the leader has no followers
ONE = {"OCHN_LOG__KAFKA__PARTITIONS": "1"}  # others would have their leaders among those who stand still
NO_SPOOL = {"OCHN_LOG__KAFKA__SPOOL_AFTER": "60"}  # seconds: what a late answer sends there is not lost


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[KafkaServer]]:
    servers = cluster(tmp_path_factory.mktemp("brokers"), 3)
    yield servers
    for server in servers:
        if server.running:
            server.kill()


@pytest.fixture
def brokers(three: list[KafkaServer]) -> list[KafkaServer]:
    """All serve; a test may leave one dead."""
    started = [server for server in three if not server.running]
    for server in started:
        server.launch()
    for server in started:
        server.wait_ready()
    return three


def test_what_was_answered_survives_the_leader(brokers: list[KafkaServer], tmp_path: Path, scale: Scale) -> None:
    oracle = Oracle(tmp_path / "oracle")
    with product_on(brokers, "leader", tmp_path, OCHN, ONE) as product:
        with Clients(product.url, oracle, CLIENTS, pause=PAUSE) as clients:
            lose_leader(brokers, "leader.events", lambda: time.sleep(ALONE))
            assert eventually(lambda: health(product) == "degraded", scale.patience)
            began = time.monotonic()
            assert eventually(lambda: health(product) == "ready", scale.deadline)
            print(f"direct again after {time.monotonic() - began:.1f} s; clients met {dict(clients.met)}")
        verdicts = reconcile(product, oracle, scale.deadline)
        assert [verdict for verdict in verdicts if not verdict.clean] == []
        assert [verdict.duplicates for verdict in verdicts if verdict.duplicates > IN_FLIGHT] == []
        assert sum(clients.met.values()) - clients.met["200"] <= clients.met["200"] // 1000
        assert len(oracle.acknowledged) > 10 * CLIENTS, "too few were answered for the test to mean anything"


def test_without_the_followers_it_does_not(brokers: list[KafkaServer], tmp_path: Path, scale: Scale) -> None:
    """The negative control: acknowledged by the leader alone, and so in nobody's log when it is dead."""
    oracle = Oracle(tmp_path / "oracle")
    command = [sys.executable, "-m", "tests.support.sabotaged", "leader_alone"]
    with product_on(brokers, "alone", tmp_path, command, {**ONE, **NO_SPOOL}) as product:
        with Clients(product.url, oracle, CLIENTS, pause=PAUSE):
            lose_leader(brokers, "alone.events", lambda: answered_alone(oracle, scale))
        assert eventually(lambda: health(product) == "ready", scale.deadline)
        kept = asyncio.run(scanned(a_log(bootstrap(brokers), tmp_path / "reader"), "alone.events"))
        text = b"".join(record.value or b"" for record in kept)
        lost = [event_id for event_id in oracle.acknowledged if event_id.encode() not in text]
        print(f"{len(lost)} of {len(oracle.acknowledged)} lost")
        assert lost


@contextmanager
def product_on(
    brokers: list[KafkaServer], prefix: str, tmp_path: Path, command: list[str], more: dict[str, str]
) -> Iterator[Product]:
    flags, environ = ["--log=kafka", f"--kafka={bootstrap(brokers)}"], {"OCHN_LOG__TOPIC_PREFIX": prefix, **more}
    with Product(tmp_path / "data", flags, environ, command) as product:
        assert eventually(lambda: health(product) == "ready")
        yield product


def bootstrap(brokers: list[KafkaServer]) -> str:
    return ",".join(broker.bootstrap for broker in brokers)


def lose_leader(brokers: list[KafkaServer], topic: str, alone: Callable[[], None]) -> None:
    """It is dead, and the others go on without it. `alone` returns when it has been without them for long enough."""
    leads = asyncio.run(leader_of(brokers[0].bootstrap, topic))
    leader = next(broker for broker in brokers if broker.place.node == leads)
    others = [broker for broker in brokers if broker is not leader]
    for other in others:
        other.freeze()
    alone()
    leader.kill()
    for other in others:
        other.thaw()


def answered_alone(oracle: Oracle, scale: Scale) -> None:
    """Far more than the answers that were on their way when the others stood still: what it had for those by then may
    still come to them, in the answer to a fetch that lies in their sockets."""
    enough = len(oracle.acknowledged) + 10 * CLIENTS
    assert eventually(lambda: len(oracle.acknowledged) >= enough, scale.deadline)


async def leader_of(bootstrap: str, topic: str) -> int:
    """The node that leads the topic's first partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([topic])
        return next(int(one["leader"]) for one in described["partitions"] if one["partition"] == 0)
    finally:
        await admin.close()


def health(product: Product) -> str:
    return str(get_json(f"{product.url}/health/ready")["status"])
