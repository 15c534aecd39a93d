"""What a page is to paste: only what works in one."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ochn.cli import app

KEYS = """profile = "dev"
[keys.shop]
values = ["it's </script>"]
[keys.app]
values = ["a"]
surfaces = ["mobile"]
"""


def snippet(tmp_path: Path, *words: str) -> Result:
    (tmp_path / "ochn.toml").write_text(KEYS)
    return CliRunner().invoke(app, ["keys", "snippet", *words, f"--config={tmp_path}/ochn.toml"])


def test_a_key_of_any_signs_is_one_text_of_the_script(tmp_path: Path) -> None:
    told = snippet(tmp_path, "shop", "--url=https://track.example/t/").stdout
    assert "var ochnkey = 'it\\'s \\x3c/script>';" in told
    assert "js.src = 'https://track.example/t/jsapi/omnichannel.js';" in told
    assert told.count("</script>") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shop", "--url=track.example"), "'track.example' is no address of a collector"),
        (("shop", "--url=https://track.example/?x='"), "is no address of a collector"),
        (("app",), "the key app is for phones alone"),
    ],
)
def test_what_no_page_could_use_is_not_printed(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = snippet(tmp_path, *words)
    assert (said in str(done.exception), done.stdout) == (True, "")
