"""Settings that change while a program runs: their files are looked at every two seconds, and read whole or not at all."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
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


class Reload(ABC, Generic[R]):
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

    @abstractmethod
    def take(self, settings: R) -> None: ...

    async def watch(self, clock: Clock) -> None:
        """For as long as the program runs; over at once when no file can change."""
        while self._paths:
            await clock.sleep(EVERY_SECONDS)
            self.look()

    def look(self) -> None:
        """Takes the settings, when a file has changed and they can be read."""
        if (settings := self._changed()) is not None:
            self.take(settings)

    def _changed(self) -> R | None:
        """Broken ones are complained about once."""
        stamps = self._stamps()
        if stamps == self._seen:
            return None
        self._seen = stamps
        try:
            return load(self._model, self._environ)
        except SettingsError as error:
            self._logger.warning(self._complaint, faults=list(error.faults), detail=self._detail)
            return None

    def _stamps(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self._paths))


def _stamp(path: Path) -> Stamp:
    """Changes with the content, also when an editor puts another file in its place; None: not there now."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
