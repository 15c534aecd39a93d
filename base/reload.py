"""Settings that change while a program runs: their files are looked at every two seconds, and read whole or not at all."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

from base.clock import Clock
from base.errors import SettingsError
from base.logs import Logger
from base.settings import load, settings_files

EVERY_SECONDS: Final = 2.0

R = TypeVar("R", bound=BaseModel)
Stamp = tuple[int, int, int] | None


class Reload(Generic[R]):
    """Of the settings that stand in files: the one file, and those that names in `_FILE` point at. What came from the
    environment alone can't change. `what` is taken from them, for the log."""

    def __init__(self, model: type[R], environ: Mapping[str, str], logger: Logger, what: str) -> None:
        self._model = model
        self._environ = environ
        self._logger = logger
        self._complaint = f"{what}.not_reloaded"
        self._detail = f"the {what} from before stay"
        self._paths = settings_files(environ)
        self._seen = self._stamps()

    def look(self) -> R | None:
        """The settings, when a file has changed and they can be read. Broken ones are complained about once."""
        stamps = self._stamps()
        if stamps == self._seen:
            return None
        self._seen = stamps
        try:
            return load(self._model, self._environ)
        except SettingsError as error:
            self._logger.warning(self._complaint, faults=list(error.faults), detail=self._detail)
            return None

    async def changes(self, clock: Clock) -> AsyncIterator[R]:
        """Each new state, for as long as anybody asks."""
        while self._paths:
            await clock.sleep(EVERY_SECONDS)
            if (settings := self.look()) is not None:
                yield settings

    def _stamps(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self._paths))


def _stamp(path: Path) -> Stamp:
    """Changes with the content, also when an editor puts another file in its place; None: not there now."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
