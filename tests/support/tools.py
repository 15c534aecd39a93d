"""The programs tests lean on. A missing one fails its tests with a sentence: nothing is skipped for want of a tool."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "chromium": "chromium",
    "mkfs.ext4": "e2fsprogs",
    "firefox-esr": "firefox-esr",
    "java": "default-jre-headless",
    "mvn": "maven",
    "node": "nodejs",
    "strace": "strace",
    "wrk": "wrk",
}


def require(tool: str) -> str:
    """The tool's path, or a failed test that says what to install."""
    if found := shutil.which(tool):
        return found
    pytest.fail(f"{tool} is missing: run `scripts/install-tools {tool}`, or install the package {PACKAGES[tool]}")


def node_tool(name: str) -> Path:
    """The folder of a tool of npm's, or a failed test that says how to fetch it."""
    require("node")
    folder = ROOT / ".cache" / "node" / name
    if not (folder / "complete").is_file():
        pytest.fail(f"{name} is missing: run `scripts/node-tools {name}` (it needs npm: `scripts/install-tools npm`)")
    return folder


def kafka_class_path() -> str:
    """Kafka's jars, or a failed test that says how to fetch them."""
    jars = ROOT / ".cache" / "kafka" / "libs"
    if not (jars / "complete").is_file():
        pytest.fail("Kafka's jars are missing: run `scripts/kafka` (it needs mvn), or set OCHN_TEST_KAFKA=HOST:PORT")
    return f"{jars}/*"
