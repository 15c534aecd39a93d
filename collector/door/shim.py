"""omnichannel.js: what is served of it at which path, compressed once, beside the tracking calls."""

import base64
import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import brotli
from starlette.requests import Request
from starlette.responses import Response

DEFAULT_STATIC_DIR: Final = Path(__file__).parents[2] / "static"
MAIN: Final = "omnichannel"
EXTRAS: Final = "omnichannel-extras"  # what omnichannel.js loads for pages that ask for more
# The page in the vendor's documents names one script, the one for leads another: both are this one.
_PATHS: Final = ("/jsapi/omnichannel.js", "/jsapi/omnichannelLead.js")
_FOREVER: Final = "public, max-age=31536000, immutable"


def find_script(static_dir: Path, name: str = MAIN) -> bytes | None:
    """The minified script if there is one, else the readable one; None: neither is installed."""
    for path in (static_dir / f"{name}.min.js", static_dir / f"{name}.js"):
        if path.is_file():
            return path.read_bytes()
    return None


def find_scripts(static_dir: Path, max_age: int, aliases: Iterable[str] = ()) -> "dict[str, Script]":
    """By path: the script under its names and `aliases`, its extras, their sources and maps; empty when there is none.

    A hashed path never changes what it holds. Builds in the folder `earlier` keep theirs, for pages that name them.
    """
    if find_script(static_dir) is None:
        return {}
    earlier = sorted((static_dir / "earlier").glob("*.js"))
    return {
        **{hashed_path(build, name): Script(build, _FOREVER) for name, build in map(_named, earlier)},
        **_of(MAIN, static_dir, max_age, (*aliases, *_PATHS)),
        **_of(EXTRAS, static_dir, max_age, ("/jsapi/omnichannel-extras.js",)),
    }


def _named(file: Path) -> tuple[str, bytes]:
    return EXTRAS if file.name.startswith(EXTRAS) else MAIN, file.read_bytes()


def _of(name: str, static_dir: Path, max_age: int, paths: Iterable[str]) -> "dict[str, Script]":
    source = find_script(static_dir, name)
    if source is None:
        return {}
    brief, map_path = f"public, max-age={max_age}", f"/jsapi/{name}.min.js.map"
    beside = {
        f"/jsapi/{name}.src.js": (static_dir / f"{name}.js", "text/javascript"),
        map_path: (static_dir / f"{name}.min.js.map", "application/json"),
    }
    return {
        **dict.fromkeys(paths, Script(source, brief, map_path=map_path)),
        **{path: Script(file.read_bytes(), brief, kind) for path, (file, kind) in beside.items() if file.is_file()},
        hashed_path(source, name): Script(source, _FOREVER, map_path=map_path),
    }


def hashed_path(source: bytes, name: str = MAIN) -> str:
    """The path that serves this very script, or nothing."""
    return f"/jsapi/{name}.{_digest(source)}.js"


def integrity(source: bytes) -> str:
    """What `integrity` of a script tag says of it (W3C, Subresource Integrity)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(source).digest()).decode()


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:20]


def preferred_encoding(accept: str, offered: tuple[str, ...]) -> str:
    """Of `offered` (best first) what Accept-Encoding ranks highest; `identity` when it wants none (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip()] = _weight(parameters)
    best, best_weight = "identity", 0.0
    for name in offered:
        weight = weights.get(name, weights.get("*", 0.0))
        if weight > best_weight:
            best, best_weight = name, weight
    return best if best_weight >= weights.get("identity", 0.0) else "identity"


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 (13.1.2) wants it for If-None-Match."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or "*" in tags


class Script:
    """Compressed once, in each encoding at its best level; every encoding has an ETag of its own."""

    def __init__(
        self, source: bytes, cache_control: str, media_type: str = "text/javascript", *, map_path: str = ""
    ) -> None:
        self._bodies = {
            "br": brotli.compress(source, quality=11),
            "gzip": gzip.compress(source, compresslevel=9, mtime=0),
            "identity": source,
        }
        self._digest = _digest(source)
        self._media_type = media_type
        self._headers = {
            "cache-control": cache_control,
            "vary": "Accept-Encoding",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
            **({"sourcemap": map_path} if map_path else {}),
        }

    async def answer(self, request: Request) -> Response:
        encoding = preferred_encoding(request.headers.get("accept-encoding", ""), ("br", "gzip"))
        etag = f'"{self._digest}-{encoding}"'
        headers = {**self._headers, "etag": etag}
        if matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
        if encoding != "identity":
            headers["content-encoding"] = encoding
        return Response(self._bodies[encoding], headers=headers, media_type=self._media_type)
