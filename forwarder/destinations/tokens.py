"""Access tokens: asked for once by all who need one, kept in memory, forgotten when the vendor says 401."""

import base64
from typing import Any, Final

from base.reasons import Trouble
from forwarder.destinations.base import Call, Fact, Facts, Verdict
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.destinations.values import text
from forwarder.errors import TransportError
from forwarder.transport import Reply

TOKEN: Final = "token"  # noqa: S105 - the fact's name
FORM: Final = "application/x-www-form-urlencoded"
_SHORTEST_LIFE: Final = 60.0  # seconds: when a token's answer doesn't say


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def known_token(facts: Facts, now: float) -> str:
    """Empty when there is none that still holds."""
    token = facts.get(TOKEN)
    return "" if token is None or token["expires"] <= now else str(token["access_token"])


def token_verdict(call: Call, reply: Reply | TransportError) -> Verdict:
    """A refused token is a matter of the settings, whatever its status: never an event's fault. The call's memo says
    `now`."""
    found = answered(reply)
    if isinstance(found, Verdict):
        return found
    if found.status >= 400:
        return Verdict(trouble=Trouble.CREDENTIALS, detail=said(found))
    answer = json_object(found) or {}
    token = text(answer.get("access_token"))
    if not token:
        return unreadable(found)
    value = {"access_token": token, "expires": call.memo["now"] + 0.9 * _life(answer.get("expires_in"))}
    return Verdict(facts=(Fact(TOKEN, value, secret=True),))


def _life(seconds: Any) -> float:
    known = isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0
    return float(seconds) if known else _SHORTEST_LIFE


def token_refused(verdict: Verdict) -> Verdict:
    """A call's trouble, and with CREDENTIALS that its token is none."""
    stale = (Fact(TOKEN, None, secret=True),) if verdict.trouble is Trouble.CREDENTIALS else ()
    return Verdict(trouble=verdict.trouble, facts=stale, detail=verdict.detail)
