"""A logger whose lines a test may read."""

from typing import Any

import pytest
import structlog

from base.logs import Logger


@pytest.fixture
def recorder() -> tuple[Logger, list[dict[str, Any]]]:
    lines: list[dict[str, Any]] = []

    def keep(_logger: Any, _method: str, entry: Any) -> Any:
        lines.append(dict(entry))
        raise structlog.DropEvent

    wrapper = structlog.make_filtering_bound_logger(0)
    logger: Logger = structlog.wrap_logger(None, processors=[keep], wrapper_class=wrapper)
    return logger, lines
