"""What is kept beside the log goes after so many days: files of leads, and bodies of events too large for the log.

Each worker looks, once an hour; what two of them meet, one has deleted.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import Counter

from base.clock import Clock
from base.logs import Logger

EVERY_SECONDS: Final = 3600.0
_DAY: Final = 86_400.0


async def keep_tidy(data_dir: Path, days: float, clock: Clock, deleted: Counter, log: Logger) -> None:
    """Until it is cancelled; 0 days: nothing is ever deleted. What can't be deleted now is tried again."""
    while days:
        try:
            count = await asyncio.to_thread(delete_before, data_dir, clock.now() - days * _DAY)
        except OSError as error:
            log.warning("files.not_deleted", error=str(error))
        else:
            deleted.inc(count)
            if count:
                log.info("files.deleted", files=count, days=days)
        await clock.sleep(EVERY_SECONDS)


def delete_before(data_dir: Path, moment: float) -> int:
    """How many files, of those last written before `moment` (seconds since the epoch). Folders that are empty go too."""
    count = 0
    for path in _kept(data_dir):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < moment:
                path.unlink()
                count += 1
                if path.parent.parent != data_dir:  # an event's own folder
                    with suppress(OSError):  # another file is in it
                        path.parent.rmdir()
    return count


def _kept(data_dir: Path) -> Iterator[Path]:
    yield from data_dir.glob("oversize/*")
    yield from data_dir.glob("files/*/*")
