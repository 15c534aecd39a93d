"""SIGHUP: the processes of a tree are renewed one by one, and the new ones read the settings anew."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from base.clock import Clock
from base.errors import SettingsError
from base.logs import Logger
from base.settings import load
from ochn.config import Settings, flat, plain
from ochn.serving.supervisor import Supervisor

# What this process itself took from the settings, or gave to all its children: only another process takes them anew.
_OURS: Final = (
    "admin.",
    "collector.drain_seconds",
    "collector.host",
    "collector.port",
    "collector.workers",
    "data_dir",
    "forwarder.drain_seconds",
    "sandbox.",
)
_REFUSED: Final = "nothing was changed; mend the file, then send SIGHUP again"
_NOT_TAKEN: Final = "these stay as they were until the command is started again"


@dataclass(frozen=True, slots=True)
class Renewals:
    """`environ` is where the settings came from. `drain`: seconds that a process may take to go."""

    supervisor: Supervisor
    settings: Settings
    environ: Mapping[str, str]
    drain: float
    clock: Clock
    logger: Logger

    async def at(self, hangup: asyncio.Event) -> None:
        """Each time that it is set; set while one is under way, it is done once more."""
        while True:
            await hangup.wait()
            hangup.clear()
            await self._renew()

    async def _renew(self) -> None:
        try:
            wanted = load(Settings, self.environ)
        except SettingsError as error:
            self.logger.warning("renewal.refused", faults=list(error.faults), detail=_REFUSED)
            return
        if not_taken := _differ(self.settings, wanted):
            self.logger.warning("renewal.not_taken", settings=not_taken, detail=_NOT_TAKEN)
        began = self.clock.monotonic()
        self.logger.info("renewal.began")
        if await self.supervisor.renew(self.drain):
            self.logger.info("renewal.done", seconds=round(self.clock.monotonic() - began, 1))


def _differ(before: Settings, wanted: Settings) -> list[str]:
    old, new = dict(_told(before)), dict(_told(wanted))
    return sorted(name for name in old.keys() | new.keys() if name.startswith(_OURS) and old.get(name) != new.get(name))


def _told(settings: Settings) -> Any:
    return flat(plain(settings, lambda secret: secret))
