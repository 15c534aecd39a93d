"""What a browser may be told about its own visitor: the lead it registered itself, sealed, in its own cookie.

Never a look-up: the app key is public, so anybody could ask about anybody.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import orjson

from collector.judging.identity import Identity

COOKIE: Final = "ochn_lead"
_FIELDS: Final = ("userFirstName", "userLastName", "userEmail", "userPhone")
_LONGEST: Final = 200


def seal_lead(lead: Mapping[str, Any], tenant: str, identity: Identity) -> str:
    """The cookie's value, empty when the lead holds nothing to fill a form with."""
    known = {name: lead[name][:_LONGEST] for name in _FIELDS if isinstance(lead.get(name), str) and lead[name]}
    if not known:
        return ""
    told = orjson.dumps(known)
    return f"{_text(told)}.{_text(identity.seal(_message(told, tenant)))}"


def open_lead(value: str, tenant: str, identity: Identity) -> dict[str, str]:
    """Empty for what is no seal of ours, or another tenant's: pages of two of them may share this browser."""
    told, _, seal = value.partition(".")
    try:
        body, tag = base64.urlsafe_b64decode(told), base64.urlsafe_b64decode(seal)
    except (binascii.Error, ValueError):
        return {}
    if not identity.is_sealed(_message(body, tenant), tag):
        return {}
    found: dict[str, str] = orjson.loads(body)
    return found


def _message(told: bytes, tenant: str) -> bytes:
    return tenant.encode() + b"\0lead\0" + told


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
