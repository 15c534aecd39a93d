"""What is built of omnichannel.js is what its source says, small, typed, and as its page tells."""

import gzip
import re
import subprocess
from pathlib import Path

import brotli
import pytest

from tests.browser.pages import STUB
from tests.support.tools import ROOT, node_tool, require

STATIC = ROOT / "static"
BARS = (14_500, 6_000, 5_400)  # raw, gzip -9, brotli 11
BUILDS = ("omnichannel", "omnichannel-extras")


def test_built_again_it_is_the_same(tmp_path: Path) -> None:
    node_tool("terser")
    subprocess.run([ROOT / "scripts/shim", tmp_path], check=True, timeout=120)
    for name in (f"{build}.min.js{end}" for build in BUILDS for end in ("", ".map")):
        assert (tmp_path / name).read_bytes() == (STATIC / name).read_bytes(), f"{name} is old: run `make shim`"


@pytest.mark.parametrize(("build", "row"), list(zip(BUILDS, ("ours", "its extras"), strict=True)))
def test_its_size_is_what_its_page_says(build: str, row: str) -> None:
    built = (STATIC / f"{build}.min.js").read_bytes()
    sizes = len(built), len(gzip.compress(built, 9, mtime=0)), len(brotli.compress(built, quality=11))
    assert all(size <= bar for size, bar in zip(sizes, BARS, strict=True)), sizes
    page = (ROOT / "docs/omnichannel.md").read_text()
    found = re.search(rf"^\| \*\*{row}\*\* \|([^|]+)\|([^|]+)\|([^|]+)\|", page, re.MULTILINE)
    assert found
    told = [int(cell.replace(",", "")) for cell in found.groups()]
    assert told == [pytest.approx(size, rel=0.01) for size in sizes], f"docs/omnichannel.md: it has {sizes}"


def test_its_page_names_all_that_may_be_asked_for() -> None:
    types, page = (STATIC / "omnichannel.d.ts").read_text(), (ROOT / "docs/omnichannel.md").read_text()
    wanted = types.partition("interface Options {")[2].partition("\n  }")[0]
    table = page.partition("## What a page may ask for")[2].partition("\n## ")[0]
    names = re.findall(r"^    (\w+)\?:", wanted, re.MULTILINE)
    assert names == re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    script, extras = [(STATIC / f"{build}.js").read_text() for build in BUILDS]
    parts = set(extras.partition("const PARTS = { ")[2].partition(" }")[0].split(", "))
    assert set(script.partition("EXTRAS = /^(")[2].partition(")")[0].split("|")) == parts
    assert set(re.findall(r"options\.(\w+)", script)) | parts == set(names)


def test_what_it_is_said_to_say_it_says() -> None:
    said = (STATIC / "omnichannel.js").read_text() + (ROOT / "collector/replies.py").read_text()
    table = (ROOT / "docs/omnichannel.md").read_text().partition("## When nothing arrives")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(told) == 8
    for phrase in told:
        parts = re.split(r"(?<=dropped: )| (?=0$)", phrase)
        assert all(part in said for part in parts), phrase


def test_every_behaviour_of_its_page_is_a_test() -> None:
    page = (ROOT / "docs/omnichannel.md").read_text()
    table = page.partition("## The behaviours")[2].partition("\n## ")[0].partition("|---|")[2]
    rows = re.findall(r"^\| (\d*) *\| [^|]+ \| (.+) \|$", table, re.MULTILINE)
    assert [number for number, _ in rows if number] == [str(number) for number in range(1, 26)]
    told = {name for _, tests in rows for name in re.findall(r"`(test_\w+)`", tests)}
    written = "".join(file.read_text() for file in (ROOT / "tests/browser").glob("test_*.py"))
    assert told <= set(re.findall(r"^def (test_\w+)", written, re.MULTILINE))
    assert all("`test_" in tests for _, tests in rows)


def test_the_stub_of_its_page_is_the_one_that_is_tested() -> None:
    assert f"<script>{STUB}</script>" in (ROOT / "docs/omnichannel.md").read_text()
    assert len(gzip.compress(STUB.encode(), 9, mtime=0)) <= 200


def test_its_types_hold_in_a_strict_page() -> None:
    """What must not compile stands there too: `@ts-expect-error` fails when nothing is wrong."""
    compiler = node_tool("typescript") / "node_modules/typescript/bin/tsc"
    flags = ("--strict", "--noEmit", "--target", "es2020", "--lib", "es2020,dom")
    sample = ROOT / "tests/shim_sample.ts"
    done = subprocess.run([require("node"), compiler, *flags, sample], check=False, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout.decode()


def test_its_types_name_what_the_script_has() -> None:
    script, types = [(STATIC / name).read_text() for name in ("omnichannel.js", "omnichannel.d.ts")]
    calls = script.partition("const calls = {")[2].partition("};")[0]
    has = {*re.findall(r"(\w+): safely", calls), "state", "version"}
    api = types.partition("interface Api {")[2].partition("\n  }")[0]
    assert set(re.findall(r"^    (?:readonly )?(\w+)[(:]", api, re.MULTILINE)) == has
