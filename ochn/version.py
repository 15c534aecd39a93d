"""`ochn version`."""

from importlib.metadata import version as installed

import typer


def version() -> None:
    """The version of this program."""
    typer.echo(installed("ochn"))
