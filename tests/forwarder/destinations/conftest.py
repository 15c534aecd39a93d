import pytest

from tests.support.destinations import MemoryFacts


@pytest.fixture
def facts() -> MemoryFacts:
    return MemoryFacts()
