"""How commands answer: a table for people, one JSON object a line for machines."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

WHOLE = ("event",)  # columns of ids: they are copied, so never cut
FILE_WIDTH = 240  # of a table that goes into a file or a pipe


def json_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        sys.stdout.write(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")


def pretty(document: Any) -> None:
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """`empty` is said in place of a table without rows."""
    drawn = Table(box=None, pad_edge=False)
    for column in columns:
        whole = column in WHOLE
        drawn.add_column(column, no_wrap=whole, min_width=36 if whole else None, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=FILE_WIDTH)
    if drawn.row_count:
        console.print(drawn)
    else:
        console.print(empty, markup=False)
