"""The command's front: every sub-command by its name, loaded only when it is called."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from ochn.cli import COMMANDS, app
from ochn.loading import Command, Group


def every(commands: dict[str, Command | Group], *before: str) -> Iterator[tuple[str, ...]]:
    for name, command in commands.items():
        yield (*before, name)
        if isinstance(command, Group):
            yield from every(dict(command.commands), *before, name)


@pytest.mark.parametrize("words", list(every(dict(COMMANDS))), ids=" ".join)
def test_every_command_has_a_help_that_ends_with_an_example(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert f"Example: ochn {words[0]}" in done.output
    assert f"Usage: ochn {' '.join(words)}" in done.output


@pytest.mark.parametrize(
    ("words", "meant"), [(["trac", "x"], "trace"), (["keys", "lisd"], "list"), (["dead-leters"], "dead-letters")]
)
def test_a_name_that_is_none_is_answered_with_the_nearest(words: list[str], meant: str) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert f"Did you mean '{meant}'?" in done.output


def test_a_command_loads_no_other() -> None:
    """A trace is to answer in a second: with the servers' modules its start alone took that."""
    asked = (
        "from typer.testing import CliRunner; from ochn.cli import app; CliRunner().invoke(app, ['trace', '--help'])"
    )
    told = "import sys; print([name for name in sys.modules if name.partition('.')[0] in ('uvicorn', 'starlette')])"
    done = subprocess.run([sys.executable, "-c", f"{asked}; {told}"], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
