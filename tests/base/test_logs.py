"""What libraries say takes our way out, and does not fill a disk."""

import logging
from collections.abc import Iterator

import pytest

from base.clock import ManualClock
from base.logs import Adopted
from tests.support.said import Said


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def library(said: Said, clock: ManualClock) -> Iterator[logging.Logger]:
    logger, handler = logging.getLogger("tests.a-library"), Adopted(said, clock)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_the_same_again_is_told_every_ten_seconds_with_how_often(
    library: logging.Logger, said: Said, clock: ManualClock
) -> None:
    for number in range(100):
        library.error("can't reach %s", number)
        library.warning("gave up")
        clock.advance(0.25)
    assert [(entry["message"], entry["level"], entry.get("times")) for entry in said.entries] == [
        ("can't reach 0", logging.ERROR, None),
        ("gave up", logging.WARNING, None),
        ("can't reach 40", logging.ERROR, 40),
        ("gave up", logging.WARNING, 40),
        ("can't reach 80", logging.ERROR, 40),
        ("gave up", logging.WARNING, 40),
    ]
    assert {(entry["event"], entry["logger"]) for entry in said.entries} == {("library", "tests.a-library")}


def test_what_differs_is_told_at_once_and_not_remembered_for_ever(library: logging.Logger, said: Said) -> None:
    for number in range(1000):
        library.error(f"fault {number}")
    assert len(said.entries) == 1000
