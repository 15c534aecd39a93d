"""kill -9 of everything, again and again, each time in the middle of a write (faults.md, 9 and 23).

What a kill alone leaves torn is rare, so each time the beginning of a record is written behind the last one. That
nothing is lost by it is held against the same control as in test_crash.py: an answer before the flush.
"""

import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from eventlog.embedded.frames import encode
from eventlog.log import Record
from tests.support.clients import Clients
from tests.support.oracle import OF_DEV, Oracle, reconcile
from tests.support.product import Product
from tests.system.outside import eventually, form
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(900), pytest.mark.xdist_group("system-restarts")]

CLIENTS, PAUSE = 8, 0.1
GROWTH = 16 * 1024 * 1024  # bytes: three SQLite files' journals at their largest, and what is indexed by time


def test_it_starts_each_time_loses_nothing_and_does_not_grow(tmp_path: Path, scale: Scale) -> None:
    oracle, data_dir = Oracle(tmp_path / "oracle"), tmp_path / "data"
    found, took = [], []
    with Product(data_dir) as product:
        with Clients(product.url, oracle, CLIENTS, pause=PAUSE):
            assert eventually(lambda: all(map(product.received, OF_DEV))), "what a delivery makes is not there yet"
            for number in range(scale.kills):
                time.sleep(scale.between_kills)
                found.append(files(data_dir))
                began = time.monotonic()
                product.kill("all", meanwhile=partial(tear, data_dir, number))
                took.append(time.monotonic() - began)
            time.sleep(scale.between_kills)
        print(
            f"served again after {[round(one, 1) for one in took]} s; files and bytes {[sizes(one) for one in found]}"
        )
        assert [verdict for verdict in reconcile(product, oracle, scale.deadline) if not verdict.clean] == []
        assert len(oracle.acknowledged) > 10 * CLIENTS, "too few were answered for the test to mean anything"
        assert max(took) < 2 * scale.patience  # three processes, one after the other
        assert max(len(one) for one in found) <= len(found[0])
        assert sizes(found[-1])[1] <= sizes(found[0])[1] + GROWTH
        assert form(product.port, "/jsapi/init", {"appkey": "demo"}).status == 200
        assert product.process.stop() == 0
        assert "Traceback" not in (said := "\n".join(product.process.lines))
        assert "child.died" not in said


def tear(data_dir: Path, number: int) -> None:
    """As if the machine had stopped in a group's write: another number of its bytes each time."""
    group = encode([Record("ochn.events", b"torn", b"x" * 500, time.time())], first=0)
    active = max((data_dir / "log" / "ochn.events").glob("*.seg"))
    with active.open("ab") as file:
        file.write(group[: 1 + 37 * number % (len(group) - 1)])


def files(data_dir: Path) -> dict[Path, int]:
    """Bytes of each that is not the sandbox's, nor on its way to another's name."""
    found = {}
    for path in data_dir.rglob("*"):
        if "sandbox" not in path.parts and path.suffix not in (".new", ".draft"):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_size
    return found


def sizes(found: dict[Path, int]) -> tuple[int, int]:
    """How many files, and the bytes of those that do not hold events."""
    return len(found), sum(size for path, size in found.items() if path.suffix != ".seg")
