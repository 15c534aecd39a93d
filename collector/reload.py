"""App keys change while the collector runs: of the settings, when they change, only [keys] is taken."""

from collections.abc import Mapping

from base.clock import Clock
from base.logs import Logger
from base.reload import Reload
from collector.keys import KeyRing, Keys
from collector.settings import CollectorRoot, KeySettings


class KeyReload:
    """Holds the keys of the last settings that could be read."""

    def __init__(self, first: Mapping[str, KeySettings], environ: Mapping[str, str], logger: Logger) -> None:
        self._keys = first
        self._ring = KeyRing(first)
        self._logger = logger
        self._reload = Reload(CollectorRoot, environ, logger, "keys")

    def current(self) -> Keys:
        return self._ring

    async def watch(self, clock: Clock) -> None:
        """For as long as the collector runs."""
        async for settings in self._reload.changes(clock):
            self._take(settings.keys)

    def look(self) -> None:
        if (settings := self._reload.look()) is not None:
            self._take(settings.keys)

    def _take(self, keys: Mapping[str, KeySettings]) -> None:
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
