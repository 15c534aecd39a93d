"""When to try again: exponential with full jitter, and whatever longer the destination asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_OBEYED: Final = 3600.0  # a Retry-After beyond an hour is more often a mistake than a wish
SPREAD: Final = 0.1  # of a Retry-After: those who were told the same need not come back in the same moment


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Seconds."""

    first: float
    longest: float

    def delay(self, attempt: int, entropy: bytes, after: float | None = None) -> float:
        """Before the try that follows failure number `attempt` (1, 2, …). Full jitter: anything from 0 to the ceiling,
        so that many who failed together do not come back together. What the destination asked for (`after`) is kept to
        within a tenth, and never undercut."""
        share = int.from_bytes(entropy, "big") / float(256 ** len(entropy))
        if after:
            return min(after, LONGEST_OBEYED) * (1.0 + SPREAD * share)
        return min(self.longest, self.first * 2.0 ** min(attempt - 1, 32)) * share


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now` (wall clock). `Retry-After` is seconds or an HTTP date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - now)
