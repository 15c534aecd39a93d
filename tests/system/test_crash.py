"""kill -9 of any one process, and of all at once, in the middle of a run, on either log (faults.md, 1, 2, 21, 23).

The oracle: what was answered 2xx is at the sandbox, nothing was invented, every payload is as it was sent.
"""

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.kafka import Kafka
from tests.support.oracle import Load, Oracle, Verdict, reconcile
from tests.support.product import Product
from tests.system.scale import Scale

RATE = 400.0  # events a second
# What had gone out and was not committed yet when the forwarder died: a second of the rate at the worst, and its calls.
DUPLICATES = 500

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]


@pytest.fixture(params=["embedded", "kafka"])
def log_flags(request: pytest.FixtureRequest) -> tuple[list[str], dict[str, str]]:
    if request.param == "embedded":
        return [], {}
    kafka: Kafka = request.getfixturevalue("kafka")
    return ["--log=kafka", f"--kafka={kafka.bootstrap}"], {"OCHN_LOG__TOPIC_PREFIX": f"crash-{uuid.uuid4().hex}"}


@pytest.mark.parametrize("victim", ["collector-0", "forwarder", "sandbox", "ochn", "all"])
def test_what_was_answered_survives_kill_9(
    victim: str, log_flags: tuple[list[str], dict[str, str]], tmp_path: Path, scale: Scale
) -> None:
    flags, environ = log_flags
    oracle = Oracle(tmp_path / "oracle")
    with Product(tmp_path / "data", flags, environ) as product:
        load = Load(product.url, oracle, scale.events, RATE)
        driving = threading.Thread(target=load.run)
        driving.start()
        wait_until(lambda: load.sent > scale.events // 3, scale.deadline)
        product.kill(victim)
        driving.join(scale.deadline)
        verdicts = reconcile(product, oracle, scale.deadline)
        report(victim, oracle, verdicts)
        assert [verdict for verdict in verdicts if not verdict.clean] == []
        assert [verdict for verdict in verdicts if verdict.duplicates > DUPLICATES] == []
        assert len(oracle.acknowledged) > scale.events // 2, "too few were answered for the test to mean anything"
        assert_a_fresh_event_arrives(product, tmp_path, scale)
        assert product.process.stop() == 0


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


def report(victim: str, oracle: Oracle, verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        print(
            f"{victim}: {len(oracle.issued)} issued, {len(oracle.acknowledged)} answered 2xx, at {verdict.destination} "
            f"{len(verdict.lost)} lost, {verdict.duplicates} duplicates"
        )
