"""`ochn panel-checklist`: what a vendor's panel must have before its API takes what we send, from the live mapping."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from forwarder.destinations import own
from forwarder.destinations.engagelab import mapping as engagelab
from forwarder.destinations.expertsender import mapping as expertsender
from forwarder.destinations.footprints import FootprintsSettings
from forwarder.destinations.netcore import mapping as netcore
from forwarder.destinations.panel import PanelItem
from forwarder.destinations.ray import mapping as ray
from ochn.options import one_of
from ochn.output import json_lines, table
from ochn.served import settings_or_dev


def _footprints(settings: FootprintsSettings) -> list[PanelItem]:
    """It ignores custom variables of leads that are not declared; which there are is the pages' choice."""
    return [] if settings.key is None else [PanelItem("custom variable", "each that leads carry", "register", {})]


_PANELS: Final[Mapping[str, Callable[[Any], list[PanelItem]]]] = {
    "footprints": _footprints,
    "netcore": netcore.panel,
    "ray": ray.panel,
    "expertsender": expertsender.panel,
    "engagelab": engagelab.panel,
}
_COLUMNS: Final = ("what", "name", "for our", "with")


def panel_checklist(
    name: Annotated[str, typer.Argument(help="The destination, as it is named in the configuration.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The configuration. Default: what served ./data, else that of `ochn dev`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object a line.")] = False,
) -> None:
    """What must exist in a vendor's panel first: activities, events, ids, with their typed fields."""
    destinations = settings_or_dev(config, None).destinations
    one_of("destination", name, destinations)
    chosen = destinations[name]
    items = (_PANELS[chosen.kind] if chosen.kind in _PANELS else own.find(chosen.kind).panel)(chosen)
    if as_json:
        json_lines(asdict(item) for item in items)
        return
    rows = ((item.what, item.name, item.event, _fields(item)) for item in items)
    table(_COLUMNS, rows, empty=f"{chosen.kind} needs nothing in its panel for what is relayed")


def _fields(item: PanelItem) -> str:
    return ", ".join(f"{name} ({of_type})" for name, of_type in item.fields.items()) or "-"
