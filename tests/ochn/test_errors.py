"""What goes wrong is a sentence that names the thing, the place and the way out, and an exit code; never a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ochn.cli import main
from tests.ochn.stand import CONFIG, Stand
from tests.ochn.tracing.test_trace import refuse

Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """In an empty directory: the exit code, and what was said."""
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: str) -> tuple[int, str]:
        codes: list[int] = []
        try:
            main(arguments, codes.append)
        except SystemExit as ended:  # typer's own
            codes.append(int(str(ended.code)))
        told = capsys.readouterr()
        return codes[-1], told.out + told.err

    return asked


READING = (
    ("status",),
    ("destinations",),
    ("trace", "x"),
    ("quarantine", "list"),
    ("dead-letters", "list"),
    ("parked", "list"),
    ("spool", "status"),
    ("replay", "--from=1h", "--destination=fp"),
)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_where_nothing_is(ask: Ask, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, told = ask(*words)
    assert (code, "neither ./ochn.toml nor ./data here" in told, "--data-dir" in told) == (1, True, True)
    assert ask(*words, "--data-dir=gone") == (
        1,
        "ochn: there is no data directory gone\n  name the one that ochn was started with\n",
    )
    (tmp_path / "other").mkdir()
    code, told = ask(*words, "--data-dir=other")
    assert (code, told.startswith("ochn: nobody has served other\n")) == (1, True)
    (tmp_path / "data").mkdir()
    code, told = ask(*words)
    assert (code, told.startswith("ochn: nobody has served data\n")) == (1, True)


@pytest.mark.parametrize(
    ("flag", "value"), [("port", 99999), ("sandbox-port", -1), ("admin-port", 65536), ("workers", 0)]
)
def test_a_flag_that_can_not_be_is_named_before_anything_is_made(
    ask: Ask, tmp_path: Path, flag: str, value: int
) -> None:
    code, told = ask("dev", f"--{flag}={value}")
    assert (code, f"Invalid value for '--{flag}'" in told, list(tmp_path.iterdir())) == (2, True, [])


def test_a_fault_of_a_flag_is_not_said_to_be_the_environments(ask: Ask) -> None:
    code, told = ask("dev", "--kafka=nobody", "--port=0", "--sandbox-port=0")
    assert (code, "'nobody' is not (of the command line)\n" in told, "OCHN_" in told) == (2, True, False)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        ("{", "served.json is damaged"),
        ("[]", "served.json is damaged"),
        ('{"config": null}', "served.json is damaged"),
        ('{"config": "gone.toml", "told": {}}', "gone.toml, by which data was served, is not there any more"),
    ],
)
def test_what_served_the_data_is_not_known_any_more(ask: Ask, tmp_path: Path, served: str, said: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "served.json").write_text(served)
    code, told = ask("status")
    assert (code, said in told, "--config" in told) == (1, True, True)


def test_damage_in_the_data(ask: Ask, tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    event = stand.event("v1")
    stand.upstream.fault = refuse
    stand.bring(event)
    stand.forget()
    (tmp_path / "forwarder/fp.db").write_text("no database")
    code, told = ask("trace", event.id, "--data-dir=.")
    assert (code, "forwarder/fp.db: file is not a database\n  see to its rights" in told) == (1, True)
    (tmp_path / "replays").mkdir()
    (tmp_path / "replays/dead-letters.json").write_text("{")
    code, told = ask("dead-letters", "replay", "--all", "--data-dir=.")
    assert (code, "dead-letters.json is damaged\n  move it away" in told) == (1, True)


def test_a_name_that_nothing_has(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "ochn.toml").write_text(CONFIG)
    for words in (("dead-letters", "list"), ("quarantine", "list"), ("parked", "list"), ("quarantine", "replay", "x")):
        code, told = ask(*words, "--reason=tired")
        assert (code, told.startswith("ochn: there is no reason tired\n  there are: ")) == (1, True)
    assert ask("panel-checklist", "nobody") == (1, "ochn: there is no destination nobody\n  there are: fp\n")
    code, told = ask("trace", "\udcff")
    assert (code, told.startswith("ochn: there is no event ? in the log")) == (1, True)


@pytest.mark.parametrize("words", [("version",), ("--help",), ("status", "--config=ochn.toml")], ids=" ".join)
def test_what_it_says_can_go_nowhere(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A full disk, and a reader that has gone."""
    (tmp_path / "ochn.toml").write_text(CONFIG)
    ochn = [sys.executable, "-m", "ochn", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(ochn, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "ochn: No space left on device")
    assert len(done.stderr.splitlines()) == 2
    process = subprocess.Popen(ochn, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stderr:
        assert (stderr.read(), process.wait()) == ("", 1)
