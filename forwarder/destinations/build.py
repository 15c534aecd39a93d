"""From settings to destinations: one row a kind."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from forwarder.destinations import own
from forwarder.destinations.base import Destination
from forwarder.destinations.engagelab import EngageLab
from forwarder.destinations.expertsender import ExpertSender
from forwarder.destinations.footprints import Footprints
from forwarder.destinations.netcore import Netcore
from forwarder.destinations.ray import Ray
from forwarder.destinations.withholding import Withholding
from forwarder.settings import AnyDestination, ForwarderRoot

AppKeys = Mapping[str, str]  # the value to send upstream, by the name of the key
# What is made of a destination's settings, which are those of its kind.
KINDS: Final[Mapping[str, Callable[[str, Any, AppKeys], Destination]]] = {
    "footprints": lambda name, settings, keys: Footprints(name, settings, {**keys, **settings.upstream_appkeys}),
    "netcore": lambda name, settings, _keys: Netcore(name, settings),
    "ray": lambda name, settings, _keys: Ray(name, settings),
    "expertsender": lambda name, settings, _keys: ExpertSender(name, settings),
    "engagelab": lambda name, settings, _keys: EngageLab(name, settings),
}


def build_destinations(settings: ForwarderRoot) -> list[Destination]:
    """Those that are enabled, in the order of the file."""
    keys = {name: key.values[0] for name, key in settings.keys.items()}
    enabled = {name: chosen for name, chosen in settings.destinations.items() if chosen.enabled}
    return [_built(name, chosen, keys) for name, chosen in enabled.items()]


def _built(name: str, chosen: AnyDestination, keys: AppKeys) -> Destination:
    destination = _builder(chosen.kind)(name, chosen, keys)
    if not chosen.withhold and not chosen.filter_bots:
        return destination
    return Withholding(destination, chosen.withhold, frozenset(chosen.filter_bots))


def _builder(kind: str) -> Callable[[str, Any, AppKeys], Destination]:
    """Of a kind that the settings were validated with."""
    return KINDS[kind] if kind in KINDS else own.find(kind).build
