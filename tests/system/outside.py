"""What tests from outside do: ask over TCP, run the command, and wait."""

import http.client
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from tests.support.corpus import Reply
from tests.support.house import ROOT
from tests.support.product import OCHN

T = TypeVar("T")
FORM = "application/x-www-form-urlencoded"


def request(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
    """Underscores in header names are dashes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def form(port: int, path: str, fields: Mapping[str, str]) -> Reply:
    return request(port, "POST", path, urlencode(fields).encode(), content_type=FORM)


def command(*arguments: str, code: int = 0, cwd: Path = ROOT, **environ: str) -> tuple[str, str]:
    """What `ochn …` says on standard output and error; it ends with `code`, and never with a traceback."""
    asked = [*OCHN, *arguments]
    done = subprocess.run(
        asked, capture_output=True, text=True, check=False, timeout=120, cwd=cwd, env={**os.environ, **environ}
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def eventually(ask: Callable[[], T], deadline: float = 60.0) -> T:
    """The first answer that is not empty; at the deadline (seconds), whatever it is."""
    until = time.monotonic() + deadline
    while not (answer := ask()) and time.monotonic() < until:
        time.sleep(0.1)
    return answer
