"""The system's clock jumps under a running product: an hour or a day ahead, an hour back, a day back (faults.md, 11)."""

import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.clients import Clients
from tests.support.jumping import JUMPS, jump
from tests.support.oracle import Oracle, reconcile
from tests.support.product import Product
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(400), pytest.mark.xdist_group("system-clock")]

HOUR = 3600.0
OFFSETS = (HOUR, 26 * HOUR, -HOUR, -24 * HOUR, -23 * HOUR)
CLIENTS, PAUSE = 8, 0.1
MOMENT = 1.0  # seconds
DAYS = 10


def test_nothing_stands_still_and_no_id_comes_twice(tmp_path: Path, scale: Scale) -> None:
    oracle, clock = Oracle(tmp_path / "oracle"), a_clock(tmp_path)
    with product_by(clock, "wall_clock_jumps", tmp_path) as product:
        for seed, offset in enumerate(OFFSETS):
            clients = ask_while_it_jumps(product, oracle, clock, offset, seed)
            assert clients.met.keys() == {"200"}
            assert clients.slowest < scale.patience
            assert [verdict for verdict in reconcile(product, oracle, scale.deadline) if not verdict.clean] == []
        ids = Counter(call["headers"]["x-event-id"] for call in product.received("footprints"))
        assert len(ids) > len(oracle.acknowledged)
        assert [event_id for event_id, times in ids.items() if times > 1] == []


def test_timers_by_the_wall_clock_stand_still(tmp_path: Path) -> None:
    """The negative control: what waits for a moment waits for a day. A day back and another, until something waited."""
    oracle, clock = Oracle(tmp_path / "oracle"), a_clock(tmp_path)
    with product_by(clock, "timers_jump", tmp_path) as product:
        for days in range(1, DAYS + 1):
            ask_while_it_jumps(product, oracle, clock, -24 * HOUR * days, seed=days)
            if any(verdict.lost for verdict in reconcile(product, oracle, deadline=8.0)):
                return
    raise AssertionError(f"nothing waited in {DAYS} jumps")


def ask_while_it_jumps(product: Product, oracle: Oracle, clock: Path, offset: float, seed: int) -> Clients:
    with Clients(product.url, oracle, CLIENTS, pause=PAUSE, seed=seed) as clients:
        time.sleep(MOMENT)
        jump(clock, offset)
        time.sleep(MOMENT)
    print(f"{offset:+.0f} s: clients met {dict(clients.met)}, slowest {clients.slowest:.2f} s")
    return clients


def a_clock(tmp_path: Path) -> Path:
    clock = tmp_path / "clock"
    jump(clock, 0.0)
    return clock


def product_by(clock: Path, how: str, tmp_path: Path) -> Product:
    command = [sys.executable, "-m", "tests.support.sabotaged", how]
    return Product(tmp_path / "data", environ={JUMPS: str(clock)}, command=command)
