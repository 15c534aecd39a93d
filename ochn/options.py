"""Flags that several commands share, and what is asked of their values."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from base.errors import UserError

Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file. Default: what served the data directory.")
]
DataDir = Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
EventId = Annotated[str, typer.Argument(help="The event's id, or how it begins.")]
Destination = Annotated[str | None, typer.Option(help="Only this destination's.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]
Reason = Annotated[str | None, typer.Option(help="Only those for this reason.")]
Key = Annotated[str | None, typer.Option(help="Only events under this app key, by its name.")]
Since = Annotated[str, typer.Option(help="Only from then on: 2026-11-21T00:00:00Z, or so long ago: 30min, 3h, 2d.")]
Until = Annotated[str, typer.Option(help="Only before then, written in the same ways.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show how many, and where to; send nothing.")]
Rate = Annotated[
    float | None, typer.Option(min=0.1, help="Events a second. Default: half of what comes in now, 100 at least.")
]


def one_of(what: str, chosen: str | None, known: Iterable[str]) -> None:
    """UserError when `chosen` is a name that nothing has: an empty list would look like good news."""
    names = sorted(set(known))
    if chosen is not None and chosen not in names:
        raise UserError(f"there is no {what} {chosen}", f"there are: {', '.join(names) or 'none'}")
