"""How commands answer: a table for people, one JSON object a line for machines."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from base.clock import from_rfc3339

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def json_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")


def pretty(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str, console: Console | None = None) -> None:
    """A row is a line. A narrow terminal cuts its end, so ids, which are copied, stand in front, and what is longest
    last; a file or a pipe gets it whole. `empty` is said in place of a table without rows."""
    console = console or Console(highlight=False)
    drawn = [columns, *rows]
    if len(drawn) == 1:
        console.print(empty, markup=False)
        return
    widths = [max(map(cell_len, column)) for column in zip(*drawn, strict=True)]
    for number, row in enumerate(drawn):
        line = "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        text = Text(line.rstrip(), "bold" if number == 0 else "")
        if console.is_terminal:
            text.truncate(console.width, overflow="ellipsis")
        console.print(text, soft_wrap=True)


def age(moment: str, now: float) -> str:
    """`47 s`, `12 min`, `3 h`, `2 d` since an RFC 3339 moment."""
    return span(max(0.0, now - from_rfc3339(moment)))


def span(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
