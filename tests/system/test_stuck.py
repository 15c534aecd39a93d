"""kill -9 of the forwarder between a send and its commit, while one event is stuck: row 21 of faults.md.

What a crash sends again is what was in flight: what was settled beyond the committed offset is written down. Were it not,
and the offset to wait for the stuck event, it would be everything since.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.kafka import Kafka
from tests.support.product import OCHN
from tests.system.destination_stand import Stand, a_stand
from tests.system.outside import eventually
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system-readers")]

SIDE_BY_SIDE = 4
WINDOW = SIDE_BY_SIDE * 8  # a unit is at most eight events of a visitor
LONG = "120"  # seconds that the stuck call may take
STUCK = {
    "FORWARDER__PARK_AFTER": "3",  # which is also when a parked one is tried again after a start
    "DESTINATIONS__FOOTPRINTS__TIMEOUT": LONG,
    "DESTINATIONS__FOOTPRINTS__CONCURRENCY": str(SIDE_BY_SIDE),
    "LOG__KAFKA__PARTITIONS": "1",
}


def killed_with_one_stuck(directory: Path, scale: Scale, kafka: str = "", command: Sequence[str] = OCHN) -> list[str]:
    kills = scale.kills // 3
    with a_stand(directory, scale, kafka=kafka, command=command, more=STUCK) as stand:
        with stand.load():
            for _ in range(kills):
                mark = stand.mark("footprints")
                stand.product.fault(destination="footprints", fault="hang", times=1, path="/jsapi/send")
                assert eventually(lambda: many_since(stand, mark), scale.deadline)  # noqa: B023 - asked at once
                stand.product.kill("forwarder")
        stand.wait_until_well()
        wrong = stand.missing()
        twice = {verdict.destination: verdict.duplicates for verdict in stand.verdicts()}["footprints"]
        print(f"{kills} kills, {SIDE_BY_SIDE} calls side by side: {twice} twice")
        return wrong + ([f"{twice} twice"] if twice > kills * SIDE_BY_SIDE else [])


def many_since(stand: Stand, mark: int) -> bool:
    """One hangs, and far more than a window has come after it."""
    calls = stand.calls("footprints", mark)
    hung = next((place for place, call in enumerate(calls) if call["fault"] == "hang"), None)
    if hung is None or len(calls) - hung < 4 * WINDOW:
        return False
    time.sleep(0.5)  # what can be committed is
    return True


@pytest.mark.parametrize("log", ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def test_a_crash_sends_again_what_was_in_flight_and_no_more(
    request: pytest.FixtureRequest, log: str, tmp_path: Path, scale: Scale
) -> None:
    kafka: Kafka | None = request.getfixturevalue("kafka") if log == "kafka" else None
    assert killed_with_one_stuck(tmp_path, scale, "" if kafka is None else kafka.bootstrap) == []


def test_were_the_offset_to_wait_for_the_stuck_one_it_would_be_everything_since(tmp_path: Path, scale: Scale) -> None:
    """The negative control."""
    command = [sys.executable, "-m", "tests.support.sabotaged", "waiting_for_all"]
    wrong = killed_with_one_stuck(tmp_path, scale, command=command)
    assert any("twice" in one for one in wrong)
