"""manifest.json: the segments there are. What it does not name is not data.

It is written twice, each with a checksum: a damaged one is read from its twin.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
from google_crc32c import value as crc32c

from base.errors import StartError
from eventlog.embedded import files

VERSION: Final = 1
NAMES: Final = ("manifest.json", "manifest.copy.json")


@dataclass(frozen=True, slots=True)
class Segment:
    """Offsets `base` up to `next` in the first `bytes` of `file`. `oldest` and `newest` are timestamps of its records.

    For the active segment these stand in the head instead; here only its file and base count."""

    file: str
    base: int
    next: int
    bytes: int = 0
    oldest: float = 0.0
    newest: float = 0.0
    compacted: bool = False  # offsets may be missing without being lost


@dataclass(frozen=True, slots=True)
class Manifest:
    """`generation` grows with each change; the head tells it to all who have the topic open."""

    generation: int
    sealed: tuple[Segment, ...]
    active: Segment

    def rolled(self, sealed: Segment) -> "Manifest":
        """The active segment sealed as given (left out when it holds nothing), and an empty one in its place."""
        kept = (*self.sealed, sealed) if sealed.next > sealed.base else self.sealed
        generation = self.generation + 1
        return Manifest(generation, kept, fresh(sealed.next, generation))

    def with_sealed(self, sealed: tuple[Segment, ...]) -> "Manifest":
        return replace(self, generation=self.generation + 1, sealed=sealed)


def fresh(base: int, generation: int) -> Segment:
    """An empty segment; the generation in its name tells it from any other that began at the same offset."""
    return Segment(segment_name(base, generation), base, base)


def segment_name(base: int, generation: int) -> str:
    return f"{base:020}.{generation}.seg"


NOTHING: Final = Manifest(0, (), Segment("", 0, 0))


def store(manifest: Manifest, directory: Path) -> None:
    body = {"version": VERSION, **asdict(manifest)}
    body["crc32c"] = _checksum(body)
    for name in NAMES:
        files.replace(directory / name, orjson.dumps(body, option=orjson.OPT_INDENT_2))


def load(directory: Path) -> Manifest | None:
    """None: this topic is new. StartError for a newer format, or when both copies are damaged."""
    found = [path for path in (directory / name for name in NAMES) if path.exists()]
    for path in found:
        if body := _read(path):
            return _parse(body, path)
    if not found:
        return None
    raise StartError(
        f"{found[0]} and its copy are damaged.",
        "Bring them back from a backup, or move this topic's directory away and start without its events.",
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        body = orjson.loads(path.read_bytes())
        return body if body.get("crc32c") == _checksum(body) else None
    except (orjson.JSONDecodeError, AttributeError):
        return None


def _parse(body: dict[str, Any], path: Path) -> Manifest:
    if body["version"] != VERSION:
        raise StartError(
            f"{path} was written by another version of ochn: format {body['version']}, this one reads {VERSION}.",
            "Start the version that wrote it, or move the data directory away.",
        )
    sealed = tuple(Segment(**segment) for segment in body["sealed"])
    return Manifest(body["generation"], sealed, Segment(**body["active"]))


def _checksum(body: dict[str, Any]) -> int:
    kept = {name: value for name, value in body.items() if name != "crc32c"}
    checksum: int = crc32c(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
    return checksum
