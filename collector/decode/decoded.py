"""What a body turned out to hold."""

from typing import Any, Final

from base.reasons import Quarantine
from base.values import Value

SALVAGED: Final = frozenset({"appkey", "appKey", "uid", "mid", "pid", "requestType", "actionType", "eid"})


class Decoded(Value, frozen=True):
    """`faults` say why `fields` is not fit to be kept as it is: then `body` (unzipped) is kept in its place, and
    `fields` holds at least those of SALVAGED that could be found."""

    fields: dict[str, Any]
    body: bytes
    faults: tuple[Quarantine, ...] = ()
