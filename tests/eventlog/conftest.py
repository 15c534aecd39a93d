"""What tests of the log may ask for."""

from pathlib import Path

import pytest

from eventlog.embedded import EmbeddedLog
from tests.support.spooled import a_spool


@pytest.fixture
def spool(tmp_path: Path) -> EmbeddedLog:
    return a_spool(tmp_path)
