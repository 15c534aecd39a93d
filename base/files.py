"""Small files that are replaced whole."""

from pathlib import Path


def write_whole(path: Path, body: bytes, draft: str = "draft") -> None:
    """Readers see the old bytes or the new; a power loss may take the new ones. `draft`: what its draft's name ends in,
    another for each process where two may write at once. OSError when it can't be written."""
    written = path.with_name(f"{path.name}.{draft}")
    written.write_bytes(body)
    written.replace(path)
