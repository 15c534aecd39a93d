"""`make audit` says that nothing is known, that something is, or that nobody could be asked: the last is never a pass."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.house import ROOT

# In the tool's place: what each service says, by its name.
STANDIN = """
import os, sys
service = sys.argv[sys.argv.index("--vulnerability-service") + 1]
status, _, said = os.environ[service.upper()].partition(" ")
print(said, file=sys.stderr)
sys.exit(int(status))
"""
AWAY, CLEAN, FOUND = (
    "1 ConnectionError: no such host",
    "0 No known vulnerabilities found",
    "1 Found 2 known vulnerabilities",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("scripts", ".venv/bin"):
        (tmp_path / name).mkdir(parents=True)
    script = shutil.copy(ROOT / "scripts/audit", tmp_path / "scripts")
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    version = re.findall(r"^version=(\S+)$", Path(script).read_text(), re.MULTILINE)[0]
    tool = tmp_path / f".cache/audit/pip-audit-{version}"
    tool.mkdir(parents=True)
    (tool / "complete").touch()
    (tool / "pip_audit.py").write_text(STANDIN)
    return tmp_path


@pytest.mark.parametrize(
    ("pypi", "osv", "status", "said"),
    [
        (CLEAN, AWAY, 0, "No known vulnerabilities found"),
        (AWAY, CLEAN, 0, "No known vulnerabilities found"),
        (FOUND, CLEAN, 1, "Found 2 known"),
        (AWAY, FOUND, 1, "Found 2 known"),
        (AWAY, AWAY, 2, "NOT DONE"),
    ],
)
def test_what_the_services_say(project: Path, pypi: str, osv: str, status: int, said: str) -> None:
    environ = {"PATH": "/usr/bin:/bin", "PYPI": pypi, "OSV": osv, "ESMS": AWAY}
    done = subprocess.run([project / "scripts/audit"], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (status, True)
    assert ("no such host" in done.stderr) == (pypi == AWAY)
