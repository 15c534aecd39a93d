"""Destinations that fail, each in its way: rows 17 to 20 of faults.md, on both logs, and on a forwarder that is naive."""

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.kafka import Kafka
from tests.system.destination_rows import (
    answers_that_are_none,
    destinations_that_are_down,
    poison_in_a_batch,
    tokens_that_expire,
)
from tests.system.destination_stand import Stand, a_stand
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(400), pytest.mark.xdist_group("system-destinations")]

ROWS = [destinations_that_are_down, answers_that_are_none, tokens_that_expire, poison_in_a_batch]
Row = Callable[[Stand], list[str]]
UNKNOWN_ASSET = {"DESTINATIONS__NETCORE__APP_ASSET_ID": "unknown"}
TWENTY = {"DESTINATIONS__RAY__CONCURRENCY": "20", "DESTINATIONS__RAY__BATCH_EVENTS": "1"}


def settings(scale: Scale) -> dict[str, str]:
    return {**UNKNOWN_ASSET, **TWENTY, "SANDBOX__TOKEN_SECONDS": str(scale.token_seconds)}


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    kafka: Kafka | None = request.getfixturevalue("kafka") if request.param == "kafka" else None
    address = "" if kafka is None else kafka.bootstrap
    with a_stand(tmp_path_factory.mktemp("down"), scale, kafka=address, more=settings(scale)) as stand:
        yield stand


@pytest.mark.parametrize("row", ROWS)
def test_a_destination_that_fails_costs_nothing_and_nobody_else(stand: Stand, row: Row) -> None:
    assert row(stand) == []


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    command = [sys.executable, "-m", "tests.support.sabotaged", "naive"]
    directory = tmp_path_factory.mktemp("naive")
    with a_stand(directory, scale, command=command, deadline=2.0, more=settings(scale)) as stand:
        yield stand


@pytest.mark.parametrize("row", ROWS)
def test_a_naive_forwarder_fails_at_each(naive: Stand, row: Row) -> None:
    """The negative controls."""
    wrong = row(naive)
    print("\n".join(wrong))
    assert wrong != []
