"""App keys and the rules about bots change while the collector runs: of the settings, when they change, only [keys] and
[bots] are taken."""

from collections.abc import Mapping
from typing import Any

from base.logs import Logger
from base.reload import Reload
from collector.judging.bots import Bots
from collector.judging.keys import KeyRing, Keys
from collector.settings import CollectorRoot


class CollectorReload(Reload[CollectorRoot]):
    """Holds the keys and the rules of the last settings that could be read."""

    def __init__(self, first: CollectorRoot, environ: Mapping[str, str], logger: Logger) -> None:
        super().__init__(CollectorRoot, environ, logger, "keys")
        self._settings = first
        self._ring, self._bots = KeyRing(first.keys), Bots(first.bots)

    def keys(self) -> Keys:
        return self._ring

    def bots(self) -> Bots:
        return self._bots

    def take(self, settings: CollectorRoot) -> None:
        before, self._settings = self._settings, settings
        if settings.keys != before.keys:
            self._ring = KeyRing(settings.keys)
            self._logger.info("keys.reloaded", **_changes(before.keys, settings.keys))
        if settings.bots != before.bots:
            self._bots = Bots(settings.bots)
            self._logger.info("bots.reloaded", **_changes(before.bots.active(), settings.bots.active()))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "changed": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
    }
