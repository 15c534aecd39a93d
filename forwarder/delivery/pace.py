"""Calls no faster than a destination was said to take them."""

from base.clock import Clock


class Pace:
    """Turns evenly spaced, `per_second` of them; None: at once."""

    def __init__(self, per_second: float | None, clock: Clock) -> None:
        self._interval = 1.0 / per_second if per_second else 0.0
        self._clock = clock
        self._next = 0.0  # monotonic

    async def turn(self) -> None:
        if not self._interval:
            return
        now = self._clock.monotonic()
        mine = max(now, self._next)
        self._next = mine + self._interval
        if mine > now:
            await self._clock.sleep(mine - now)
