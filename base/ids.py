"""Randomness as an argument: a seeded source gives the same ids for the same run."""

import os
import random
from functools import lru_cache
from typing import Final, Protocol

_ENTROPY: Final = 10
_AT_ONCE: Final = 256
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class IdSource(Protocol):
    def event_id(self, now: float) -> str:
        """A UUIDv7 (RFC 9562) for `now` in seconds since the epoch: sorts by time, unique without a clock."""
        ...

    def random(self, size: int) -> bytes: ...


class SystemIds:
    """The random halves of many ids are made at once: a call to the system costs more than all the rest of an event's."""

    def __init__(self) -> None:
        self._spare: list[str] = []
        os.register_at_fork(after_in_child=self._spare.clear)  # a child's ids are its own

    def event_id(self, now: float) -> str:
        try:
            random = self._spare.pop()  # in one step: no two threads get the same
        except IndexError:
            digits, size = os.urandom(_ENTROPY * _AT_ONCE).hex(), _ENTROPY * 2
            random, *spare = [_random_half(digits[at : at + size]) for at in range(0, len(digits), size)]
            self._spare += spare
        return _time_half(int(now * 1000)) + random

    def random(self, size: int) -> bytes:
        return os.urandom(size)


class SeededIds:
    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable by design, never used outside tests and explain

    def event_id(self, now: float) -> str:
        return uuid7(now, self.random(_ENTROPY))

    def random(self, size: int) -> bytes:
        return self._random.randbytes(size)


def uuid7(now: float, entropy: bytes) -> str:
    """48 bits of milliseconds, then 74 random bits around version and variant (RFC 9562, 5.7)."""
    return _time_half(int(now * 1000)) + _random_half(entropy.hex())


@lru_cache(maxsize=64)
def _time_half(milliseconds: int) -> str:
    """Kept: all events of a batch have the same, and so have many requests of one moment."""
    time = f"{milliseconds & 0xFFFF_FFFF_FFFF:012x}"
    return f"{time[:8]}-{time[8:]}-7"


def _random_half(digits: str) -> str:
    return f"{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"
