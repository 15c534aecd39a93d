"""When it happened: the device's clock, corrected by what that clock said when it sent."""

from typing import Any, Final

from base.clock import from_rfc3339, rfc3339
from base.values import Value

_LONGEST_WAIT: Final = 30 * 86_400.0  # a queue on a disk may be as old
_TOLERANCE: Final = 60.0
_END_OF_TIME: Final = 253_402_300_799.0  # year 9999


class Moments(Value, frozen=True):
    """RFC 3339. `bad`: a client time that could not be read or believed, so `time` is the time of receipt."""

    time: str
    client: str | None = None
    sent: str | None = None
    bad: bool = False


def moments(ts: Any, sent_at: Any, received: float, receivedtime: str) -> Moments:
    """`ts`, `sent_at`: milliseconds since the epoch or RFC 3339, None when not sent; `received`: seconds.

    What has passed between the two on one clock is true whatever that clock shows.
    """
    if ts is None and sent_at is None:
        return Moments(receivedtime)
    happened, sent = read_moment(ts), read_moment(sent_at)
    client = None if happened is None else rfc3339(happened)
    senttime = None if sent is None else rfc3339(sent)
    unread = (ts is not None and happened is None) or (sent_at is not None and sent is None)
    if happened is None:
        return Moments(receivedtime, client, senttime, unread)
    age = (received if sent is None else sent) - happened
    if not -_TOLERANCE <= age <= _LONGEST_WAIT:
        return Moments(receivedtime, client, senttime, bad=True)
    return Moments(rfc3339(received - max(age, 0.0)), client, senttime, unread)


def read_moment(value: Any) -> float | None:
    """Seconds since the epoch, or None for what is no time of our era."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        in_words = isinstance(value, str) and not value.replace(".", "", 1).isdecimal()
        seconds = from_rfc3339(str(value)) if in_words else float(value) / 1000
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= _END_OF_TIME else None
