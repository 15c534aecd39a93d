"""Nothing is written but in the data directory, so that all else may be read-only (docker-compose.yml), for who is not root.

`/tmp` is a tmpfs there. The system calls of the whole product tell: `strace` writes down what it opens, makes and moves.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.product import OCHN, Product
from tests.support.tools import require
from tests.system.outside import eventually, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(180), pytest.mark.xdist_group("system-read-only")]
CALLS = "openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,truncate"
CHANGES = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)")
FREE = ("/dev/", "/proc/", "/tmp/")


def written(trace: Path) -> Iterator[Path]:
    """What was opened for writing, made, moved or taken away. A call that failed changed nothing."""
    for line in trace.read_text(errors="replace").splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)\) = \d", line)
        if call and (call[1] != "openat" or CHANGES.search(call[2])):
            folder = re.match(r"(?:AT_FDCWD|\d+)<([^>]*)>", call[2])
            for path in re.findall(r'"([^"]+)"', call[2]):
                yield Path(os.path.normpath(Path(folder[1] if folder else "") / path))


def test_nothing_is_written_but_in_the_data_directory(tmp_path: Path) -> None:
    trace, data_dir = tmp_path / "trace", tmp_path / "data"
    under = [require("strace"), "-D", "-f", "-y", "-qq", "--seccomp-bpf", "-o", str(trace), "-e", f"trace={CALLS}"]
    product = Product(data_dir, environ={"PYTHONDONTWRITEBYTECODE": "1"}, command=[*under, *OCHN])
    with product:
        form(product.port, "/jsapi/init", {"appkey": "demo", "email": "ann@example.com"})
        assert eventually(lambda: product.received("footprints"))
        assert product.process.stop() == 0
    found = set(written(trace))
    assert {"log", "forwarder", "run"} <= {
        path.relative_to(data_dir).parts[0] for path in found if data_dir in path.parents
    }
    elsewhere = {path for path in found if data_dir not in (path, *path.parents)}
    assert sorted(str(path) for path in elsewhere if not str(path).startswith(FREE) or tmp_path in path.parents) == []
