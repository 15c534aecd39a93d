"""A logger that keeps every entry, for tests of what is told."""

import logging
from typing import Any


class Said:
    """`entries`: {level, event, …}, in order."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def log(self, level: int, event: str, **more: Any) -> None:
        self.entries.append({"level": level, "event": event, **more})

    def info(self, event: str, **more: Any) -> None:
        self.log(logging.INFO, event, **more)

    warning = error = exception = info

    def bind(self, **_more: Any) -> "Said":
        return self

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.entries]
