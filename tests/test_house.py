"""The rules of the house hold, and the rules can be broken: each is shown a planted fault."""

import subprocess
from pathlib import Path

import pytest

from tests.support.house import (
    MAY_IMPORT,
    OURS,
    ROOT,
    foreign_names,
    modules,
    python_files,
    too_long,
    wrong_imports,
)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    sources = modules(package)
    assert sources
    assert [fault for module, source in sources.items() for fault in wrong_imports(module, source)] == []


@pytest.mark.parametrize(
    ("module", "planted"),
    [
        ("base.clock", "from eventlog.event import Event"),
        ("base.clock", "import tests.support"),
        ("eventlog.kafka", "def later():\n    import collector.app"),
        ("collector.app", "from forwarder import relay"),
        ("collector.decode.forms", "from ...forwarder.delivery.relay import run"),
        ("collector.app", "if TYPE_CHECKING:\n    from ochn.cli import main"),
        ("forwarder.sandbox.app", "import base.clock, collector.keys as keys"),
        ("forwarder.delivery.relay", "importlib.import_module('collector.app')"),
        ("forwarder.delivery.relay", "__import__('ochn')"),
    ],
)
def test_a_planted_import_is_found(module: str, planted: str) -> None:
    assert len(wrong_imports(module, planted)) == 1


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("ochn.cli", "import collector, forwarder, eventlog, base"),
        ("collector.app", "from .decode import forms\nfrom base import clock\nimport collections"),
        ("forwarder.delivery.relay", "from eventlog.log import LogReader"),
        ("base.metrics", "import prometheus_client\nfrom base.errors import OchnError"),
    ],
)
def test_an_allowed_import_is_not(module: str, allowed: str) -> None:
    assert wrong_imports(module, allowed) == []


def test_every_package_has_its_place() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found <= OURS, f"say in tests/support/house.py what {found - OURS} may import"


def test_files_and_functions_are_short() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in python_files()}
    faults = [fault for name, source in sources.items() for fault in too_long(name, source)]
    assert not faults, "\n".join(faults)


def test_a_long_file_and_a_long_function_are_found() -> None:
    body = "    x = 1\n" * 40
    assert too_long("a.py", f"def short():\n{body[10:]}") == []
    assert too_long("a.py", f"async def long():\n{body}") == ["a.py:1 long has 41 lines"]
    assert too_long("a.py", "x = 1\n" * 301) == ["a.py has 301 lines"]


def test_no_file_names_a_registry_or_one_machine() -> None:
    texts = {name: text for name in tracked_files() if (text := read(ROOT / name)) is not None}
    faults = [fault for name, text in texts.items() for fault in foreign_names(name, text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "planted",
    [
        "pip install -i https://pypi." + "org/simple ochn",
        "FROM docker." + "io/python",
        "cd /ro" + "ot/ochn",
        "see /wo" + "rk/main",
    ],
)
def test_a_planted_name_is_found(planted: str) -> None:
    assert len(foreign_names("README.md", planted)) == 1


@pytest.mark.parametrize(
    "harmless", ["FROM python:3.11-slim", "https://docs.example/wo" + "rk/it", "/usr/bin/chromium"]
)
def test_a_harmless_name_is_not(harmless: str) -> None:
    assert foreign_names("README.md", harmless) == []


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def read(path: Path) -> str | None:
    """A text file's text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None
