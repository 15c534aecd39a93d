"""How much may wait for the log at once: what is refused early costs less than what fails late."""

import asyncio

from prometheus_client import Gauge


class Admission:
    """Requests, and bytes of their bodies, that are taken and not answered yet."""

    def __init__(self, most_requests: int, most_bytes: int, gauge: Gauge) -> None:
        self._most_requests = most_requests
        self._most_bytes = most_bytes
        self._gauge = gauge
        self.requests = 0
        self.bytes = 0
        self._shown_soon = False

    def enter(self, size: int) -> bool:
        """False: full, and nothing was entered. A body larger than the whole budget is let in alone."""
        if self.requests and (self.requests >= self._most_requests or self.bytes + size > self._most_bytes):
            return False
        self.requests += 1
        self.bytes += size
        if not self._shown_soon:
            self._show_soon()
        return True

    def is_half_full(self) -> bool:
        return 2 * self.requests >= self._most_requests or 2 * self.bytes >= self._most_bytes

    def leave(self, size: int) -> None:
        self.requests -= 1
        self.bytes -= size
        if not self._shown_soon:
            self._show_soon()

    def _show_soon(self) -> None:
        """The gauge moves once a turn of the loop: it is a file that other processes read, and slow."""
        self._shown_soon = True
        asyncio.get_running_loop().call_soon(self._show)

    def _show(self) -> None:
        self._shown_soon = False
        self._gauge.set(self.requests)
