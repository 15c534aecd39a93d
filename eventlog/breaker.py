"""When records stop going straight to the log, and when they do again. Decided here without I/O, done in spool.py.

closed     straight to the log
open       all to the spool, and nothing out of it
half_open  all to the spool, and out of it to the log: one small group first, and all the rest once it is acknowledged

Against flapping: only time closes it. Between the last bad sign and the closing lie `steady` seconds in which every
group out of the spool came back in time; twice as many each time when it opens soon after it had closed. A trial that
fails is repeated after a rest that grows too. Both are bounded, so that the log's return is noticed within seconds.
"""

from typing import Final, Literal

from base.reasons import Spooling

FIRST_STEADY, MOST_STEADY, FORGET_SECONDS = 0.5, 4.0, 60.0
FIRST_REST, MOST_REST = 0.25, 2.0
CODES: Final = {"closed": 0, "half_open": 1, "open": 2}


class Breaker:
    """Times are a monotonic clock's, in seconds. A group that takes longer than `slow_seconds` is a bad sign."""

    def __init__(self, slow_seconds: float) -> None:
        self.state: Literal["closed", "half_open", "open"] = "closed"
        self.reason: Spooling | None = None
        self.detail = ""
        self.slow_seconds = slow_seconds
        self._steady, self._rest = FIRST_STEADY, 0.0
        self._bad_sign = self._changed = 0.0
        self._closed_at: float | None = None

    def open(self, reason: Spooling, detail: str, now: float) -> bool:
        """False: it was open before."""
        self._bad_sign = now
        if self.state == "open":
            return False
        if self.state == "half_open":
            self._rest = min(max(2 * self._rest, FIRST_REST), MOST_REST)
        elif self._closed_at is not None and now - self._closed_at < FORGET_SECONDS:
            self._steady = min(2 * self._steady, MOST_STEADY)
        else:
            self._steady = FIRST_STEADY
        self.state, self.reason, self.detail, self._changed = "open", reason, detail, now
        return True

    def try_out(self, now: float) -> bool:
        """The log seems to be there again. True: from now on it is tried."""
        if self.state != "open" or now - self._changed < self._rest:
            return False
        self.state = "half_open"
        return True

    def came_back(self, seconds: float, now: float) -> None:
        """A group out of the spool was acknowledged after so long."""
        self._rest = 0.0
        if seconds > self.slow_seconds:
            self._bad_sign = now

    def may_close(self, now: float) -> bool:
        return self.state == "half_open" and now - self._bad_sign >= self._steady

    def close(self, now: float) -> None:
        self.state, self.reason, self.detail = "closed", None, ""
        self._closed_at, self._rest = now, 0.0
