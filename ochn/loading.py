"""Commands that are loaded when they are called: a trace answers without the servers' modules, and a server starts
without the trace's."""

import gc
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Command:
    """`where`: `module:function`, whose docstring is the help."""

    where: str
    example: str

    def load(self, name: str) -> Any:
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(name, epilog=f"Example: {self.example}")(_function(self.where))
        return get_command(app)


def _function(where: str) -> Any:
    """What modules leave behind stays: to look through it for garbage meanwhile takes a tenth of a command's start."""
    module, _, name = where.partition(":")
    gc.disable()
    try:
        return getattr(import_module(module), name)
    finally:
        gc.enable()


@dataclass(frozen=True, slots=True)
class Group:
    help: str
    example: str
    commands: Mapping[str, Command]

    def load(self, name: str) -> Any:
        return get_command(build_app(name, self.help, self.example, self.commands))


class _Unloaded(UserDict[str, Any]):
    """By their names; who takes one gets it loaded."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name).load(name)


def build_app(name: str, told: str, example: str, commands: Mapping[str, Command | Group]) -> typer.Typer:
    """`told` and `example` are the help."""

    class Loaded(TyperGroup):
        def __init__(self, **more: Any) -> None:
            super().__init__(**{**more, "commands": _Unloaded(commands)})

    app = typer.Typer(
        name=name,
        cls=Loaded,
        help=told,
        epilog=f"Example: {example}",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
    )
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    """Typer makes a group of what has a callback, also where it holds one command or none yet."""
