"""What can still be read of a body that can't be kept as fields: whose it is, and of what kind."""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from base.forms import raw_pairs
from collector.decode.decoded import SALVAGED

_NAMES: Final = {name.encode(): name for name in SALVAGED}
_MOST_PAIRS: Final = 1000
_LONGEST: Final = 256
_JSON_MEMBERS: Final = re.compile(rb'"(%s)"\s*:\s*"([^"\\]{1,%d})"' % ("|".join(sorted(SALVAGED)).encode(), _LONGEST))


def salvage_query(body: bytes) -> dict[str, Any]:
    return salvage_pairs(raw_pairs(body))


def salvage_pairs(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in islice(pairs, _MOST_PAIRS):
        _add(found, name, value)
    return found


def salvage_json(body: bytes) -> dict[str, Any]:
    """At whatever level they stand, the first of a name."""
    found: dict[str, Any] = {}
    for match in _JSON_MEMBERS.finditer(body):
        _add(found, match[1], match[2])
    return found


def _add(found: dict[str, Any], name: bytes, value: bytes) -> None:
    if name in _NAMES and len(value) <= _LONGEST:
        with suppress(UnicodeDecodeError):
            found.setdefault(_NAMES[name], value.decode())
