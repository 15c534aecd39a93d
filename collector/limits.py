"""What becomes of a request beyond a limit, in one table by the names of LimitSettings (faults.md, "Limits").

Refused is only what can't be read on with, or not kept; what can be is answered 200 and held back, because a phone
deletes good events at any refusal (contracts.md, section 1).
"""

from collections.abc import Mapping
from typing import Final

from base.reasons import Quarantine, Refusal

REFUSED: Final[Mapping[str, Refusal]] = {
    "url_bytes": Refusal.URL_TOO_LONG,
    "header_bytes": Refusal.HEADERS_TOO_LARGE,
    "header_fields": Refusal.HEADERS_TOO_LARGE,
    "header_seconds": Refusal.SLOW_REQUEST,
    "body_bytes": Refusal.TOO_LARGE,
    "batch_body_bytes": Refusal.TOO_LARGE,
    "lead_body_bytes": Refusal.TOO_LARGE,
    "body_seconds": Refusal.SLOW_REQUEST,
    "arriving_bytes": Refusal.OVERLOADED,
    "gunzipped_bytes": Refusal.TOO_LARGE,
    "gunzip_ratio": Refusal.TOO_LARGE,
    "batch_events": Refusal.TOO_LARGE,
    "in_flight_requests": Refusal.OVERLOADED,
    "in_flight_bytes": Refusal.OVERLOADED,
}
HELD_BACK: Final[Mapping[str, Quarantine]] = {
    "form_pairs": Quarantine.TOO_MANY_FIELDS,
    "form_key_bytes": Quarantine.FIELD_TOO_LARGE,
    "form_value_bytes": Quarantine.FIELD_TOO_LARGE,
    "form_levels": Quarantine.TOO_DEEP,
    "form_index": Quarantine.TOO_MANY_FIELDS,
    "json_depth": Quarantine.TOO_DEEP,
    "json_containers": Quarantine.TOO_MANY_FIELDS,
    "json_members": Quarantine.TOO_MANY_FIELDS,
    "sensors": Quarantine.TOO_MANY_SENSORS,
}
# Found before the request has come whole: the rest is not read, the connection ends with the answer.
CLOSES: Final = frozenset(
    {
        "url_bytes",
        "header_bytes",
        "header_fields",
        "header_seconds",
        "body_bytes",
        "batch_body_bytes",
        "lead_body_bytes",
        "body_seconds",
        "arriving_bytes",
    }
)


class Arriving:
    """Bytes of requests that are not whole yet: thousands of connections may each hold back the end of a large body."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.bytes = 0

    def hold(self, more: int) -> bool:
        """False: too many, and they are counted nonetheless, until they are let go as `hold(-more)`."""
        self.bytes += more
        return more <= 0 or self.bytes <= self._most
