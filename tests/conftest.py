"""What every test may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.implementations import pytest_terminal_summary  # noqa: F401 - a hook
from tests.support.kafka import Kafka, KafkaServer
from tests.support.shared_kafka import shared_kafka
from tests.system.scale import FULL, SHORT, Scale


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the fault tests at their full length (hours)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """At their full length tests take as long as they take: a module's own limit is one for the shortened ones."""
    if config.getoption("soak"):
        for item in items:
            item.add_marker(pytest.mark.timeout(0), append=False)


@pytest.fixture(scope="session")
def scale(pytestconfig: pytest.Config) -> Scale:
    """How long and how much: shortened, or in full under --soak."""
    return FULL if pytestconfig.getoption("soak") else SHORT


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The services run on asyncio, and so do the tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Kafka:
    """A real broker, one for the whole run: use topics and groups of your own names, and leave it alive."""
    if given := os.environ.get("OCHN_TEST_KAFKA"):
        return Kafka(given)
    if "PYTEST_XDIST_WORKER" in os.environ:
        return shared_kafka(tmp_path_factory.getbasetemp().parent / "kafka", owner=os.getppid())
    return shared_kafka(tmp_path_factory.getbasetemp() / "kafka", owner=os.getpid())


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker that the test may stop, kill, freeze and start again."""
    with KafkaServer(tmp_path / "kafka") as server:
        yield server
