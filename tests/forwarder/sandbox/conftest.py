from collections.abc import Iterator

import pytest

from tests.support.sandbox import SandboxProcess


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    # Long enough for the two calls that a test makes under a token, on a machine that stands for a moment.
    with SandboxProcess(tmp_path_factory.mktemp("sandbox"), token_seconds="6") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    running.no_faults()
    return running
