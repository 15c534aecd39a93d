"""What the request's headers say about consent, and the cookies it brings."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import orjson

_YES: Final = (True, 1, "true", "1", "yes", "accepted", "granted")
_NO: Final = (False, 0, "false", "0", "no", "declined", "denied")
_PURPOSES: Final = ("analytics", "marketing")


def read_cookies(headers: Mapping[str, str]) -> dict[str, str]:
    header = headers.get("cookie")
    if not header:
        return {}
    pairs = (piece.partition("=") for piece in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def consent(headers: Mapping[str, str], cookies: Mapping[str, str]) -> str | None:
    """`cookie=accepted;gpc=1;dnt=1`, only what was said; a cookie of purposes is `cookie=analytics:yes,marketing:no`."""
    if not cookies and "sec-gpc" not in headers and "dnt" not in headers:
        return None  # most often
    said = []
    if cookie := _cookie(cookies.get("cookie_consent", "")):
        said.append(f"cookie={cookie}")
    if headers.get("sec-gpc") == "1":
        said.append("gpc=1")
    if (dnt := headers.get("dnt")) in ("0", "1"):
        said.append(f"dnt={dnt}")
    return ";".join(said) or None


def with_told(consent: str | None, data: dict[str, Any]) -> str | None:
    """With what the page's script read in its cookie, which does not travel to another origin; taken out of `data`."""
    told = data.get("consent")
    cookie = _cookie(told) if isinstance(told, str) else ""
    if not cookie:
        return consent
    del data["consent"]
    if (consent or "").startswith("cookie="):
        return consent
    return f"cookie={cookie};{consent}" if consent else f"cookie={cookie}"


def _cookie(value: str) -> str:
    """Empty for what is none of the three ways to say it (contracts.md, "How real pages use omnichannel.js")."""
    if not value:
        return ""
    text = unquote(value)
    if text in ("accepted", "declined"):
        return text
    try:
        purposes = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(purposes, dict):
        return ""
    said = ((name, _answer(purposes.get(name))) for name in _PURPOSES)
    return ",".join(f"{name}:{answer}" for name, answer in said if answer)


def _answer(value: Any) -> str:
    if value in _YES:
        return "yes"
    return "no" if value in _NO else ""
