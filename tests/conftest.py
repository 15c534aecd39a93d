"""What every test may ask for."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The services run on asyncio (uvloop in production), and so do the tests."""
    return "asyncio"
