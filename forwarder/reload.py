"""App keys, secrets and mappings change while the forwarder runs: of the settings, what plans and replies depend on."""

from collections.abc import Mapping, Sequence
from typing import Final

from base.errors import SettingsError
from base.logs import Logger
from base.reload import Reload
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from forwarder.destinations.settings import DestinationSettings
from forwarder.renewal import Renewable
from forwarder.secrets import secret_values
from forwarder.settings import AnyDestination, ForwarderRoot

# What the engine was built by. A destination's own settings, and how old an event may be, are its plans' to read.
AT_START: Final = DestinationSettings.model_fields.keys() - {"max_age_hours", "withhold", "filter_bots"} | {"kind"}


class DestinationReload(Reload[ForwarderRoot]):
    """Holds the settings of the last file that could be read, and renews the destinations that they changed."""

    def __init__(
        self, first: ForwarderRoot, running: Sequence[Renewable], environ: Mapping[str, str], logger: Logger
    ) -> None:
        super().__init__(ForwarderRoot, environ, logger, "destinations")
        self._settings = first
        self._running = running

    def take(self, settings: ForwarderRoot) -> None:
        before, self._settings = self._settings, settings
        try:
            made = {destination.name: destination for destination in build_destinations(settings)}
        except SettingsError as error:
            self._logger.warning("destinations.not_reloaded", faults=list(error.faults))
            return
        renewed = [one for one in self._running if one.name in made and _differs(one.name, before, settings)]
        for one in renewed:
            one.renew(made[one.name], secret_values(settings.destinations[one.name]))
        if renewed:
            self._logger.info("destinations.reloaded", destinations=[one.name for one in renewed])
        if late := self._only_at_start(made, before, settings):
            detail = f"renew the forwarder (SIGHUP): {', '.join(sorted(AT_START))} are read at its start"
            self._logger.warning("destinations.need_restart", destinations=late, detail=detail)

    def _only_at_start(self, made: Mapping[str, Destination], before: ForwarderRoot, now: ForwarderRoot) -> list[str]:
        names = before.destinations.keys() | now.destinations.keys()
        batches = {one.name: one.batch for one in self._running}
        return sorted(
            name
            for name in names
            if _built_by(before.destinations.get(name)) != _built_by(now.destinations.get(name))
            or (name in batches and name in made and batches[name] != made[name].batch)
        )


def _differs(name: str, before: ForwarderRoot, now: ForwarderRoot) -> bool:
    known, told = before.destinations[name], now.destinations[name]
    return known.kind == told.kind and (known != told or before.keys != now.keys)


def _built_by(settings: AnyDestination | None) -> Mapping[str, object]:
    return {} if settings is None else settings.model_dump(include=set(AT_START))
