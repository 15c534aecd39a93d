"""A request's target: which path, whatever way it is spelled."""

from typing import Final
from urllib.parse import unquote

import httptools

from collector.routes import tracking_paths

_PLAIN: Final = {path.encode(): path for path in tracking_paths()}


def read_target(url: bytes) -> tuple[str, bytes, bytes]:
    """(path decoded, path as sent, query). httptools.HttpParserError for what is no URL."""
    plain = _PLAIN.get(url)
    if plain is not None:
        return plain, url, b""
    parsed = httptools.parse_url(url)
    raw_path = parsed.path or b""
    path = raw_path.decode("ascii")
    return unquote(path) if "%" in path else path, raw_path, parsed.query or b""
