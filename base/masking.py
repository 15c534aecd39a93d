"""Secrets never reach a log line, an error, a metric or a dead letter."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_NAMES = re.compile(
    r"(authorization|cookie|secret|password|passwd|token|api[-_]?key|x-api-key|client_secret|^pin$|^key$)",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(
    r"((?:access_token|refresh_token|client_secret|password|api_secret|api_key|pin)(?:=|\"\s*:\s*\"|'\s*:\s*'))[^&\s\"']+",
    re.IGNORECASE,
)
_PUBLIC = frozenset({"pushnotificationtoken", "token_type"})


def is_secret_name(name: str) -> bool:
    return name.lower() not in _PUBLIC and _NAMES.search(name) is not None


def mask(value: Any) -> Any:
    """The same shape with every value under a secret's name replaced, and secrets inside texts (URLs) cut out."""
    if isinstance(value, Mapping):
        return {name: MASK if is_secret_name(str(name)) and item else mask(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if isinstance(value, str):
        return mask_text(value)
    return value


def mask_text(text: str) -> str:
    return _IN_TEXT.sub(rf"\1{MASK}", text)
