"""The collector with one of its walls taken down, for tests/support/sabotaged.py."""

from typing import Any

import collector.judging.decide
import collector.protocol.reading
from collector.decode import Decoded
from collector.protocol.connection import Connection
from collector.protocol.deadline import Deadline
from collector.protocol.reading import Reading


def wait_for_ever() -> None:
    """Nobody is ever late."""
    Deadline.set = lambda *_: None  # type: ignore[method-assign]


def room_for_each() -> None:
    """A connection gets its buffer when it comes, not when it says something."""
    made = Connection.connection_made

    def with_room(self: Connection, transport: Any) -> None:
        made(self, transport)
        self._app_state = {**self._app_state, "buffer": bytearray(b"x" * 256 * 1024)}

    Connection.connection_made = with_room  # type: ignore[method-assign]


def take_any_size() -> None:
    """What is beyond a limit is read on."""
    collector.protocol.reading.announces_too_much = lambda _: False  # type: ignore[assignment, attr-defined]
    Reading._stop = lambda *_: None  # type: ignore[assignment, method-assign]


def trust_all_text() -> None:
    """Bytes are text, and JSON is good."""
    decode = collector.judging.decide.decode  # type: ignore[attr-defined]

    def trusting(headers: Any, body: bytes, limits: Any) -> Decoded:
        body.decode()
        decoded: Decoded = decode(headers, body, limits)
        return Decoded(decoded.fields, body)

    collector.judging.decide.decode = trusting  # type: ignore[attr-defined]
