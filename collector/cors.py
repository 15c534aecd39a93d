"""Who may read our answers from a page: decided from the Origin header and the keys, without I/O.

Any origin gets `*`, which browsers never combine with credentials. Only an origin that a key lists is named, and only
then are credentials allowed: an Origin is never echoed because it came.
"""

import re
from typing import Final

from collector.arrival import HeaderList
from collector.judging.keys import AppKey

METHODS: Final = "POST, PUT"
_MAX_AGE: Final = ("access-control-max-age", "86400")
_VARY: Final = ("vary", "Origin")
_EXPOSED: Final = ("access-control-expose-headers", "X-Event-Id, X-Event-Status, Retry-After")
_ANY: Final = ("access-control-allow-origin", "*")
_NAMES: Final = re.compile(r"[a-zA-Z0-9!#$%&'*+.^_`|~, -]{1,1024}")

ANY_ORIGIN: Final[HeaderList] = (_ANY, _EXPOSED)


def origin_headers(origin: str | None, key: AppKey | None) -> HeaderList:
    """For an answer. Without a key (a refusal) any script may read the status.

    An origin that the key's list lacks may read its answer too, without credentials: it says `quarantined`, and a
    script that could not read it would take it for a lost event and send it again.
    """
    if key is None or not key.origins:
        return ANY_ORIGIN
    if origin in key.origins:
        return (*_named(origin), _EXPOSED)
    return (*ANY_ORIGIN, _VARY)


def preflight(origin: str | None, requested_headers: str | None, union_of_origins: frozenset[str] | None) -> HeaderList:
    """For the answer to OPTIONS, which carries no key. `union_of_origins` None: some key allows any origin.

    Headers asked for are allowed, whatever they are: we read only our own.
    """
    if union_of_origins is None:
        return (_ANY, *_allowed(requested_headers))
    if origin in union_of_origins:
        return (*_named(origin), *_allowed(requested_headers))
    return (_VARY,)


def _named(origin: str) -> HeaderList:
    return (("access-control-allow-origin", origin), ("access-control-allow-credentials", "true"), _VARY)


def _allowed(requested_headers: str | None) -> HeaderList:
    methods = ("access-control-allow-methods", METHODS)
    if requested_headers and _NAMES.fullmatch(requested_headers):
        return (methods, ("access-control-allow-headers", requested_headers), _MAX_AGE)
    return (methods, _MAX_AGE)
