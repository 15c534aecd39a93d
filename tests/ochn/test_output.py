"""Tables as people see them on a terminal, and as a pipe gets them."""

import subprocess
import sys

import pytest

from base.clock import rfc3339
from ochn.output import age, table

ID = "01a20059-fcdf-7cfd-8a32-0da33a0cdb8c"
ROWS = [(ID, "3 s", "refused: " + "a long story " * 20)]


def test_a_pipe_gets_rows_whole(capsys: pytest.CaptureFixture[str]) -> None:
    table(("event", "age", "why"), ROWS, empty="nothing")
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["event", "age", "why"]
    assert row.startswith(f"{ID}  3 s  refused: a long story")
    assert row.count("a long story") == 20


def test_a_narrow_terminal_cuts_the_end_and_never_an_id() -> None:
    program = f"from ochn.output import table; table(('event', 'age', 'why'), {ROWS!r}, empty='nothing')"
    environ = {"PATH": "/usr/bin:/bin", "COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    _, row = done.stdout.splitlines()
    assert row.startswith(f"{ID}  3 s  refused: ")
    assert (len(row), row[-1]) == (80, "…")


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(("event",), [], empty="nothing [is] here")
    assert capsys.readouterr().out == "nothing [is] here\n"


@pytest.mark.parametrize(
    ("seconds", "told"), [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_an_age(seconds: float, told: str) -> None:
    assert age(rfc3339(1_800_000_000), 1_800_000_000 + seconds) == told
