"""Dependencies: each is pinned, what is installed is what is pinned, and the page gives every one its reason."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.house import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): pinned
    for name, pinned in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
}
PAGE = (ROOT / "docs/decisions/0001-dependencies.md").read_text()
TABLE = re.findall(r"^\| ([a-z0-9, -]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
STUBS = "types-"


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def closure(roots: set[str]) -> Iterator[str]:
    """Everything they bring along on this machine."""
    seen, left = set[str](), list(roots)
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        for text in distribution(name).requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                left.append(canonicalize_name(needed.name))


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    told = {canonicalize_name(name.strip()) for row, *_ in TABLE for name in row.split(",")} - {"package"}
    assert told == names(PROJECT["dependencies"])
    assert all(purpose.strip() and why.strip() for _, purpose, why in TABLE)


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_what_only_tests_and_benchmarks_need_is_named_too(extra: str) -> None:
    beside = PAGE.split("For tests:")[1].split("Looked at")[0].lower()
    wanted = names(PROJECT["optional-dependencies"][extra])
    assert [name for name in wanted if not name.startswith(STUBS) and name.removeprefix("pytest-") not in beside] == []


def test_all_that_is_installed_is_pinned() -> None:
    roots = names([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]])
    installed = {canonicalize_name(name): version(name) for name in closure(roots)}
    assert installed == {name: PINS.get(name) for name in installed}


def test_a_pin_is_one_version() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(PINS)
