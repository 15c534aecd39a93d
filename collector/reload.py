"""App keys change while the collector runs: the settings file is looked at every two seconds, and only [keys] is taken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from base.clock import Clock
from base.errors import SettingsError
from base.logs import Logger
from base.settings import CONFIG_VARIABLE, load
from collector.keys import KeyRing, Keys
from collector.settings import CollectorRoot, KeySettings

EVERY_SECONDS: Final = 2.0

Stamp = tuple[int, int, int] | None


class KeyReload:
    """Holds the keys of the last readable file. A broken one changes nothing, and is complained about once."""

    def __init__(self, first: Mapping[str, KeySettings], environ: Mapping[str, str], logger: Logger) -> None:
        self._keys = first
        self._ring = KeyRing(first)
        self._environ = environ
        self._logger = logger
        self._path = Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None
        self._seen: Stamp = self._stamp()

    def current(self) -> Keys:
        return self._ring

    async def watch(self, clock: Clock) -> None:
        """For as long as the collector runs; settings that came from the environment alone can't change."""
        while self._path is not None:
            await clock.sleep(EVERY_SECONDS)
            self.look()

    def look(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            keys = load(CollectorRoot, self._environ, self._path).keys
        except SettingsError as error:
            self._logger.warning("keys.not_reloaded", faults=list(error.faults), detail="the keys from before stay")
            return
        if keys != self._keys:
            self._log_change(keys)
            self._keys, self._ring = keys, KeyRing(keys)

    def _log_change(self, keys: Mapping[str, KeySettings]) -> None:
        both = keys.keys() & self._keys.keys()
        self._logger.info(
            "keys.reloaded",
            added=sorted(keys.keys() - both),
            removed=sorted(self._keys.keys() - both),
            changed=sorted(name for name in both if keys[name] != self._keys[name]),
        )

    def _stamp(self) -> Stamp:
        """Changes with the content, also when an editor puts another file in its place; None: not there now."""
        if self._path is None:
            return None
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
