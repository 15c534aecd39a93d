"""Whether a destination may be called at all. Closed to all but one probe while it is down or its settings are wrong.

Pure: `now` is monotonic seconds; the engine asks before it starts a unit and tells what became of each call.
"""

from dataclasses import dataclass
from typing import Final, Literal

from base.reasons import Dead, Trouble
from forwarder.retry import RetryPolicy

TRIP: Final = 3  # troubles in a row, of whichever events: then it is the destination, not the event
PROBE_SECONDS: Final = 30.0  # while paused: nobody mends settings faster

State = Literal["running", "troubled", "paused"]


@dataclass(slots=True)
class Breaker:
    """`troubled` ends with the first events that get an answer; `paused` only with one that is settled. `spacing`:
    seconds from a probe that failed to the next, unless the destination names its own; the first may come sooner."""

    policy: RetryPolicy
    same_refusals: int
    spacing: float
    state: State = "running"
    reason: Trouble | None = None
    detail: str = ""
    passes: int = 0  # replies that were no trouble
    last_error: str = ""
    _troubles: int = 0
    _probing: bool = False
    _next_probe: float = 0.0
    _refusal: Dead | str = ""
    _refused: int = 0

    def is_running(self) -> bool:
        return self.state == "running"

    def allows(self, now: float) -> bool:
        """Whether another unit may start."""
        return self.is_running() or (not self._probing and now >= self._next_probe)

    def due(self, now: float) -> float | None:
        """Seconds until the next probe; None when nothing is to be waited for."""
        return None if self.is_running() or self._probing else max(0.0, self._next_probe - now)

    def begin(self) -> bool:
        """A unit starts. True: it is the probe, and `end` must follow."""
        self._probing = not self.is_running()
        return self._probing

    def end(self) -> None:
        """The probe is over, whatever it showed."""
        self._probing = False

    def passed(self, *, settled: bool) -> None:
        """A reply to a call with events that is no trouble. `settled`: it delivered one, or refused it for itself."""
        self.passes += 1
        self._troubles = 0
        if self.state == "troubled" or (self.state == "paused" and settled):
            self.state, self.reason, self.detail = "running", None, ""

    def failed(self, trouble: Trouble, now: float, entropy: bytes, after: float | None, detail: str) -> None:
        if self.is_running() or self._probing:  # else a straggler: what was on its way tells nothing new
            self._troubles += 1
        self.last_error = detail or trouble
        if self.state == "paused":
            self._next_probe = now + PROBE_SECONDS
        elif self.state == "troubled" or self._troubles >= TRIP or after is not None or trouble is Trouble.THROTTLED:
            self.state, self.reason, self.detail = "troubled", trouble, detail
            delay = self.policy.delay(self._troubles, entropy, after)
            spaced = max(delay, self.spacing) if self._probing and not after else delay
            self._next_probe = max(self._next_probe, now + spaced)  # a straggler brings no probe forward

    def pause(self, reason: Trouble, now: float, detail: str) -> None:
        self.last_error = detail or reason
        self.state, self.reason, self.detail = "paused", reason, detail
        self._next_probe = now + PROBE_SECONDS

    def mended(self, now: float) -> None:
        """The settings are others since: worth a probe at once, and no more to be judged by what the last ones drew."""
        self._next_probe = min(self._next_probe, now)
        self._refusal, self._refused = "", 0

    def delivered(self) -> None:
        self._refusal, self._refused = "", 0

    def refuses(self, reason: str) -> bool:
        """One more event is refused for `reason`. True: so many in a row that the settings are wrong, not the events,
        so this one is to be held. A different reason starts the count again."""
        self._refused = self._refused + 1 if reason == self._refusal else 1
        self._refusal = reason
        return self._refused >= self.same_refusals
