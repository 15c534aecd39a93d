"""Says at the end of a run which implementation stood behind each suite of contracts, and how often it passed."""

import re
from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    passed: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        if case := re.match(r"tests/contract/test_(\w+)\.py.*\[(\w+)", report.nodeid):
            passed[f"{case[1]}: {case[2]}"] += report.when == "call"
    for name, count in sorted(passed.items()):
        terminalreporter.write_line(f"contract {name}: {count} passed")
