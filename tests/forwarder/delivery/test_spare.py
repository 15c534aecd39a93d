"""Late events are parked only while there is time to spare for it."""

import pytest

from base.clock import ManualClock
from forwarder.delivery.late_lane import BUSY, PARKED_SECONDS, TRIED_SECONDS, Spare


class Load:
    """A process that uses so much of a core while it parks, and while it delivers."""

    def __init__(self, delivering: float) -> None:
        self.clock, self.used, self.delivering = ManualClock(), 0.0, delivering
        self.spare = Spare(lambda: self.used)

    def parked(self, seconds: float) -> float:
        """The share of that time in which late events were parked."""
        parks, looks = 0, round(seconds / 0.05)
        for _ in range(looks):
            told = self.spare.parks(self.clock.monotonic())
            parks += told
            self.clock.advance(0.05)
            self.used += 0.05 * (1.0 if told else self.delivering)
        return parks / looks


def test_the_first_are_parked() -> None:
    assert Load(1.0).parked(TRIED_SECONDS / 2) == 1


@pytest.mark.parametrize("busy", [0.05, BUSY - 0.1])
def test_while_the_destination_is_what_all_wait_for_they_are_parked(busy: float) -> None:
    assert Load(busy).parked(600) > 0.9


@pytest.mark.parametrize("busy", [BUSY + 0.1, 1.0])
def test_while_the_process_is_they_are_not(busy: float) -> None:
    assert Load(busy).parked(600) < 0.05


def test_a_destination_that_becomes_slow_or_quick_is_noticed() -> None:
    load = Load(1.0)
    load.parked(60)
    load.delivering = 0.1
    load.parked(3 * TRIED_SECONDS)
    assert load.parked(60) > 0.9
    load.delivering = 1.0
    load.parked(PARKED_SECONDS)
    assert load.parked(60) < 0.05


def test_after_a_while_without_late_ones_the_next_are_parked_again() -> None:
    load = Load(1.0)
    load.parked(60)
    load.clock.advance(2 * PARKED_SECONDS)
    assert load.parked(TRIED_SECONDS / 2) == 1
