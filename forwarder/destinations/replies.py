"""What any vendor's reply means before one looks into it."""

from typing import Any, Final

import orjson

from base.reasons import Trouble
from forwarder.destinations.base import Verdict
from forwarder.errors import TransportError
from forwarder.transport import Reply

_TROUBLES: Final = {
    401: Trouble.CREDENTIALS,
    403: Trouble.CREDENTIALS,
    408: Trouble.TIMEOUT,
    425: Trouble.THROTTLED,
    429: Trouble.THROTTLED,
}
_SAID: Final = 200  # characters of a reply that people are shown


def answered(reply: Reply | TransportError) -> Reply | Verdict:
    """The reply, if one must look into it (2xx, and 4xx that are for good); else the trouble that it is: network,
    credentials, or a status that is worth another try. Retry-After is the engine's to read.

    A redirect is not followed, and costs no event: whoever answers it is not whom the settings meant.
    """
    if isinstance(reply, TransportError):
        return Verdict(trouble=reply.trouble, detail=str(reply))
    trouble = _TROUBLES.get(reply.status)
    if trouble is None and reply.status >= 500:
        trouble = Trouble.SERVER_ERROR
    if trouble is None and not (200 <= reply.status < 300 or reply.status >= 400):
        trouble = Trouble.UNREADABLE_REPLY
    return reply if trouble is None else Verdict(trouble=trouble, detail=said(reply))


def unreadable(reply: Reply) -> Verdict:
    return Verdict(trouble=Trouble.UNREADABLE_REPLY, detail=said(reply))


def json_object(reply: Reply) -> dict[str, Any] | None:
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def said(reply: Reply) -> str:
    body = reply.body[: 4 * _SAID].decode("utf-8", "replace")[:_SAID].strip()
    return f"HTTP {reply.status}: {body}" if body else f"HTTP {reply.status}"
