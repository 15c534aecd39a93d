"""Structured logs to standard error: an event's name, then fields. Secrets are masked on the way out."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Protocol, TextIO

import orjson

from base.clock import Clock, SystemClock
from base.masking import mask
from base.settings import LoggingSettings

_QUIET_SECONDS: Final = 10.0
_SAYINGS: Final = 256  # that are remembered


class Logger(Protocol):
    """`event` is its name; `more` are its fields."""

    def info(self, event: str, **more: Any) -> Any: ...

    def warning(self, event: str, **more: Any) -> Any: ...

    def error(self, event: str, **more: Any) -> Any: ...

    def exception(self, event: str, **more: Any) -> Any: ...

    def log(self, level: int, event: str, **more: Any) -> Any: ...

    def bind(self, **more: Any) -> "Logger":
        """One that says `more` with every event."""
        ...


def build_logger(settings: LoggingSettings, process: str, stream: TextIO | None = None) -> Logger:
    """`process` (collector-0, forwarder, …) stands in every line. Libraries' warnings take the same way out."""
    import structlog  # noqa: PLC0415 - slow to import, and a command whose output is its answer logs nothing

    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    renderer: Any = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    if settings.format == "json":
        renderer = _render_json
    processors = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked,
        renderer,
    ]
    logger: Logger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        process=process,
    )
    _adopt_libraries(logger, max(level, logging.WARNING))
    return logger


class _Quiet:
    def info(self, event: str, **more: Any) -> None: ...

    warning = error = exception = info

    def log(self, level: int, event: str, **more: Any) -> None: ...

    def bind(self, **_more: Any) -> "_Quiet":
        return self


def quiet_logger() -> Logger:
    """Says nothing: for tests, and for commands whose output is their answer."""
    return _Quiet()


def _masked(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: mask(value) for name, value in entry.items()}


def _render_json(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> str:
    return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class Adopted(logging.Handler):
    """What libraries say. The same again is told every ten seconds, with how often: Kafka's client, while Kafka is away,
    says the same a hundred times a second."""

    def __init__(self, logger: Logger, clock: Clock) -> None:
        super().__init__()
        self._logger, self._clock = logger, clock
        self._until: dict[tuple[str, str], float] = {}
        self._unsaid: dict[tuple[str, str], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        what, now = (record.name, str(record.msg)[:200]), self._clock.monotonic()
        if now < self._until.get(what, now):
            self._unsaid[what] = self._unsaid.get(what, 0) + 1
            return
        if len(self._until) >= _SAYINGS:
            self._until.clear()
            self._unsaid.clear()
        self._until[what] = now + _QUIET_SECONDS
        times = {"times": unsaid + 1} if (unsaid := self._unsaid.pop(what, 0)) else {}
        self._logger.log(record.levelno, "library", logger=record.name, message=record.getMessage(), **times)


def _adopt_libraries(logger: Logger, level: int) -> None:
    """httpx logs whole URLs at INFO, access tokens included (faults.md, traps): never below WARNING."""
    logging.basicConfig(handlers=[Adopted(logger, SystemClock())], level=level, force=True)
