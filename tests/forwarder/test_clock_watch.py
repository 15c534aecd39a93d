"""A wall clock that is set is told of; one that is slewed, or a moment's sleep, is not."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from base.clock import ManualClock
from base.logs import quiet_logger
from base.metrics import forwarder_metrics
from forwarder.clock_watch import ClockWatch, read_jump


def watch(directory: Path, clock: ManualClock) -> ClockWatch:
    metrics = forwarder_metrics(CollectorRegistry())
    return ClockWatch(data_dir=directory, clock=clock, metrics=metrics, log=quiet_logger())


@pytest.mark.parametrize(("jump", "direction"), [(86_400.0, "ahead"), (-3600.0, "back")])
def test_a_jump_is_told_once(tmp_path: Path, jump: float, direction: str) -> None:
    clock = ManualClock()
    watching = watch(tmp_path, clock)
    clock.advance(1.0)
    watching.look()
    assert read_jump(tmp_path) is None
    clock.jump(jump)
    for _ in range(3):
        watching.look()
        clock.advance(1.0)
    told = read_jump(tmp_path)
    assert told is not None
    assert told["seconds"] == jump
    assert watching.metrics.clock_jumps.labels(direction)._value.get() == 1


def test_what_is_slewed_or_stands_still_for_long_is_no_jump(tmp_path: Path) -> None:
    clock = ManualClock()
    watching = watch(tmp_path, clock)
    for _ in range(1000):
        clock.advance(1.0)
        clock.jump(0.1)
        watching.look()
    clock.advance(86_400.0)
    watching.look()
    assert read_jump(tmp_path) is None


def test_where_it_cant_be_written_the_metric_tells(tmp_path: Path) -> None:
    (tmp_path / "forwarder").write_text("a file in the way")
    clock = ManualClock()
    watching = watch(tmp_path, clock)
    clock.jump(60.0)
    watching.look()
    assert watching.metrics.clock_jumps.labels("ahead")._value.get() == 1
