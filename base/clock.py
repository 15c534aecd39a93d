"""Time as an argument: nothing in the product reads a clock it was not given."""

import asyncio
import math
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall clock in seconds since the epoch; may jump. For timestamps only."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow. For every timer, deadline and age."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """Moves when it is told to, or when somebody sleeps on it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Move the wall clock alone, as an administrator or NTP does."""
        self._now += seconds


def rfc3339(seconds: float) -> str:
    """UTC with milliseconds and `Z`, the one form that leaves this product (RFC 3339)."""
    second = int(seconds)
    milliseconds = round((seconds - second) * 1e6) // 1000  # as datetime rounds, and then cuts
    if milliseconds == 1000:
        second, milliseconds = second + 1, 0
    return f"{_to_the_second(second)}.{milliseconds:03d}Z"


def rfc3339_second(seconds: float) -> str:
    """UTC in whole seconds and `Z`, for who takes no fractions."""
    return f"{_to_the_second(math.floor(seconds))}Z"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    """Kept, as most of what is written is written in the same few seconds."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def from_rfc3339(text: str) -> float:
    """Seconds since the epoch; ValueError for anything without a zone or not RFC 3339."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone")
    return moment.timestamp()
