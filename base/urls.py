"""Addresses that the settings name, and that we call."""

from urllib.parse import urlsplit


def checked_url(value: str) -> str:
    """A destination's base: https unless loopback; without a scheme https is meant. No query, no trailing slash."""
    text = value if "://" in value else f"https://{value}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected http(s)://host[:port][/path]")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError("expected https: http is for loopback only")
    return text.rstrip("/")
