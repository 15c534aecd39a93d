"""What a client owes us, and until when."""

import asyncio
from collections.abc import Callable


class Deadline:
    """One timer a connection. Moving it later costs no timer: it looks again when it fires."""

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._when: float | None = None
        self._fires: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """From now, in place of what was set before."""
        when = self._when = self._loop.time() + seconds
        if self._fires is None or when < self._fires:
            self._arm(when)

    def clear(self) -> None:
        self._when = None

    def cancel(self) -> None:
        """For good."""
        self._when = None
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._fires = when
        self._handle = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._handle = self._fires = None
        if self._when is None:
            return
        if self._when > self._loop.time():
            self._arm(self._when)
            return
        self._when = None
        self._passed()
