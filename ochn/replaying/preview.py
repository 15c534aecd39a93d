"""What a replay would do, shown before it does: how many events, of which kinds, to whom, and how long it takes."""

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from base.errors import UserError
from eventlog.event import Event
from ochn.config import Settings
from ochn.output import table

_DATES_NOW: Final = frozenset({"footprints"})  # kinds whose calls carry no time
EVERY: Final = "(every destination)"


@dataclass(slots=True)
class Preview:
    """By destination: how many of each kind, and when the oldest came (RFC 3339)."""

    kinds: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    oldest: dict[str, str] = field(default_factory=dict)

    def add(self, destination: str, event: Event) -> None:
        self.kinds[destination][event.type.removeprefix("ochn.")] += 1
        self.oldest[destination] = min(self.oldest.get(destination, event.receivedtime), event.receivedtime)

    @property
    def total(self) -> int:
        return sum(map(Counter.total, self.kinds.values()))

    def draw(self, settings: Settings, rate: float) -> None:
        """To standard error: what a command answers is what it did."""
        console = Console(stderr=True, highlight=False)
        rows = (
            (name, str(kinds.total()), self.oldest[name], ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))
            for name, kinds in self.kinds.items()
        )
        table(("to", "events", "oldest", "of which"), rows, empty="nothing is like that", console=console)
        warn_of_dates(self.kinds, settings, console)
        console.print(f"At {rate:g} a second this takes about {max(1.0, self.total / rate):.0f} s.", markup=False)


def warn_of_dates(destinations: Mapping[str, object], settings: Settings, console: Console) -> None:
    chosen = settings.destinations if EVERY in destinations else destinations
    for name in chosen:
        if name in settings.destinations and settings.destinations[name].kind in _DATES_NOW:
            console.print(f"{name} takes no time with an event: it will be dated now there.", markup=False)


def agreed(preview: Preview, settings: Settings, rate: float, *, yes: bool) -> bool:
    """Asks, unless `yes`. UserError where nobody can answer."""
    preview.draw(settings, rate)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UserError("nobody is there to agree to this", "say --yes, or --dry-run to see it only")
    return typer.confirm("Send them again?", err=True)


def progress() -> Progress:
    """On a terminal; elsewhere it says nothing."""
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
