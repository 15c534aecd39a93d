"""Files kept beside the log, durable before their event is appended."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.judging.oversize import Kept

Done = Callable[[BaseException | None], None]


class Keeper:
    """Writes in a thread: a lead's eight megabytes must not make everybody else wait for the disk."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def keep(self, kept: Sequence[Kept], done: Done) -> None:
        """Call on the loop; so is `done`, with what went wrong or None once all are on the disk."""
        future = asyncio.get_running_loop().run_in_executor(None, self._write, kept)
        future.add_done_callback(lambda ended: done(_trouble(ended)))

    def _write(self, kept: Sequence[Kept]) -> None:
        folders: set[Path] = set()
        for each in kept:
            path = self._data_dir / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.write(each.content)
                file.flush()
                os.fsync(file.fileno())
            folders.update((path.parent, path.parent.parent, self._data_dir))
        for folder in folders:
            _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """A new file is durable when its name is."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _trouble(ended: asyncio.Future[None]) -> BaseException | None:
    return asyncio.CancelledError() if ended.cancelled() else ended.exception()
