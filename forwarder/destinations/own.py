"""Destinations of a user's own: an entry point `ochn.destinations` of any installed package, whose name is the kind.

    [project.entry-points."ochn.destinations"]
    webhook = "ochn_webhook:KIND"

See docs/destinations/own.md, and examples/webhook for a whole one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Literal, get_args, get_origin

from forwarder.destinations.base import Destination
from forwarder.destinations.panel import PanelItem
from forwarder.destinations.settings import DestinationSettings
from forwarder.transport import Reply

GROUP: Final = "ochn.destinations"


def _nothing(_settings: Any) -> Sequence[PanelItem]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """What the entry point names. `settings` is the table `[destinations.<name>]`, with `kind: Literal["…"]`; `build`
    gets the destination's name, its settings, and the app key to send upstream by the name of ours. `panel`: what
    `ochn panel-checklist` lists. `accepted`: the reply when all is well, for `ochn explain`."""

    settings: type[DestinationSettings]
    build: Callable[[str, Any, Mapping[str, str]], Destination]
    panel: Callable[[Any], Sequence[PanelItem]] = _nothing
    accepted: Reply = field(default_factory=lambda: Reply(200, {}, b"{}"))


def installed() -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find(kind: str) -> Kind:
    """ValueError says which package is at fault, and how; KeyError: no package has such a kind."""
    for entry in entry_points(group=GROUP, name=kind):
        return _loaded(entry)
    raise KeyError(kind)


def _loaded(entry: EntryPoint) -> Kind:
    package = entry.dist.name if entry.dist else "a package"
    try:
        found = entry.load()
    except Exception as error:  # whatever their code raises when it is imported
        raise ValueError(f"{package} can't be loaded ({entry.value}): {type(error).__name__}: {error}") from error
    if not isinstance(found, Kind):
        raise ValueError(f"{package}: {entry.value} is no forwarder.destinations.own.Kind")  # noqa: TRY004 - a fault of the settings
    if not issubclass(found.settings, DestinationSettings) or _literal(found.settings) != (entry.name,):
        raise ValueError(f"{package}: its settings are no DestinationSettings whose kind is the literal {entry.name!r}")
    return found


def _literal(settings: type[DestinationSettings]) -> tuple[Any, ...]:
    field = settings.model_fields.get("kind")
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()
