"""Where the last drain ended in order, so that the next one, also in another process, need not doubt what it finds.

`<data_dir>/spool/drained` holds the offset while nobody drains. It is gone before a drain sends anything: who ends in
the middle leaves none.
"""

from contextlib import suppress
from pathlib import Path

from base.files import write_whole


class CleanEnd:
    """OSError when the disk refuses to forget; what it refuses to keep is only looked up once more."""

    def __init__(self, spool_dir: Path) -> None:
        self._path = spool_dir / "drained"

    def at(self) -> int | None:
        with suppress(OSError, ValueError):
            return int(self._path.read_text())
        return None

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def keep(self, offset: int) -> None:
        with suppress(OSError):
            write_whole(self._path, b"%d" % offset)
