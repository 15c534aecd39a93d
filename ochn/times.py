"""Moments as people write them on a command line."""

import re
from typing import Final

from base.clock import from_rfc3339
from base.errors import UserError

_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_AGO: Final = re.compile(r"(\d{1,9})\s*(s|min|h|d)")


def moment(text: str, now: float) -> float:
    """Seconds since the epoch, of an RFC 3339 time with a zone, or of so long ago: `30min`, `3h`, `2d`. UserError for
    anything else."""
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        return from_rfc3339(text)
    except ValueError as error:
        raise UserError(
            f"{text!r} is no time", "write 2026-11-21T00:00:00Z, with a zone, or how long ago: 30min, 3h, 2d"
        ) from error
