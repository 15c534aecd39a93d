"""kill -9 of any one process, and of all at once, in the middle of a run, on either log (faults.md, 1, 2, 21, 23).

The oracle: what was answered 2xx is at the sandbox, nothing was invented, every payload is as it was sent.
"""

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from base.lock import lock_data_dir
from tests.collector.worker import running
from tests.support.kafka import Kafka
from tests.support.oracle import Load, Oracle, Verdict, reconcile
from tests.support.product import Product, get_json
from tests.system.outside import form
from tests.system.scale import Scale

RATE = 300.0  # events a second
# What had gone out and was not committed yet when a forwarder died, for each that did: a second of the rate at the
# worst, and what was on the wire.
DUPLICATES = 500
OUTLIVED = 2.0  # seconds after its parent's death in which each child must have gone

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


@pytest.fixture(params=["embedded", "kafka"])
def log_flags(request: pytest.FixtureRequest) -> tuple[list[str], dict[str, str]]:
    if request.param == "embedded":
        return [], {}
    kafka: Kafka = request.getfixturevalue("kafka")
    return ["--log=kafka", f"--kafka={kafka.bootstrap}"], {"OCHN_LOG__TOPIC_PREFIX": f"crash-{uuid.uuid4().hex}"}


@pytest.mark.parametrize(
    "victims", [["collector-0", "forwarder", "sandbox"], ["ochn", "all"]], ids=["each-child", "parent-then-all"]
)
def test_what_was_answered_survives_kill_9(
    victims: list[str], log_flags: tuple[list[str], dict[str, str]], tmp_path: Path, scale: Scale
) -> None:
    flags, environ = log_flags
    oracle = Oracle(tmp_path / "oracle")
    with Product(tmp_path / "data", flags, environ) as product:
        drive(product, oracle, scale, victims)
        verdicts = reconcile(product, oracle, scale.deadline)
        report(victims, oracle, verdicts)
        assert [verdict for verdict in verdicts if not verdict.clean] == []
        assert [verdict for verdict in verdicts if verdict.duplicates > DUPLICATES * len(victims)] == []
        assert len(oracle.acknowledged) > scale.events // 2, "too few were answered for the test to mean anything"
        assert_a_fresh_event_arrives(product, tmp_path, scale)
        assert product.process.stop() == 0


@pytest.mark.parametrize(
    ("sabotage", "victim"), [("commit_before_send", "forwarder"), ("answer_before_durable", "collector-0")]
)
def test_without_its_protection_it_loses(sabotage: str, victim: str, tmp_path: Path, scale: Scale) -> None:
    """The negative control: the same oracle is red. Killed three times: there is little to lose at a moment when it has
    just written, or sent, what it had."""
    oracle = Oracle(tmp_path / "oracle")
    command = [sys.executable, "-m", "tests.support.sabotaged", sabotage]
    with Product(tmp_path / "data", command=command) as product:
        product.fault(destination="footprints", fault="slow", delay=0.5, for_seconds=60)
        drive(product, oracle, scale, [victim] * 3)
        product.fault()
        verdicts = reconcile(product, oracle, deadline=10.0)
        report([f"{victim} ({sabotage})"], oracle, verdicts)
        assert any(verdict.lost for verdict in verdicts)


def test_workers_that_outlive_their_parent_would_be_second_writers(tmp_path: Path) -> None:
    """The negative control of row 2: without PDEATHSIG they go on answering, and another may start on their data.
    Where they die with their parent, `Product.kill` waits until they have."""
    command = [sys.executable, "-m", "tests.support.sabotaged", "outlive_parent", "collector"]
    with running(tmp_path, *command) as collector:
        orphan = get_json(f"http://127.0.0.1:{collector.admin}/status")["collector-0"]
        try:
            collector.process.kill()
            time.sleep(OUTLIVED)
            with lock_data_dir(collector.data_dir, "collector"):
                assert form(collector.port, "/jsapi/init", {"appkey": "demo"}).status == 200
        finally:
            os.kill(orphan, signal.SIGKILL)


def drive(product: Product, oracle: Oracle, scale: Scale, victims: Sequence[str]) -> None:
    """The load, and in the middle of it one kill after the other."""
    load = Load(product.url, oracle, scale.events, RATE)
    driving = threading.Thread(target=load.run)
    driving.start()
    for number, victim in enumerate(victims, start=1):
        wait_until(lambda due=number: load.sent > scale.events * due // (len(victims) + 2), scale.deadline)  # type: ignore[misc]
        product.kill(victim)
    driving.join(scale.deadline)


def assert_a_fresh_event_arrives(product: Product, tmp_path: Path, scale: Scale) -> None:
    fresh = Oracle(tmp_path / "fresh")
    Load(product.url, fresh, count=1, rate=1.0, seed=2).run()
    assert len(fresh.acknowledged) == 1
    assert all(not verdict.lost for verdict in reconcile(product, fresh, scale.deadline))


def wait_until(reached: Callable[[], bool], deadline: float) -> None:
    until = time.monotonic() + deadline
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


def report(victims: Sequence[str], oracle: Oracle, verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        print(
            f"kill -9 {', '.join(victims)}: {len(oracle.issued)} issued, {len(oracle.acknowledged)} answered 2xx; "
            f"at {verdict.destination} {len(verdict.lost)} lost, {verdict.duplicates} duplicates"
        )
