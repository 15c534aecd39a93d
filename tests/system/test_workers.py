"""Collector workers are killed, and renewed, while clients ask on connections that they keep (faults.md, 1 and 26).

All processes append to the same files (docs/decisions/0002-embedded-log.md), so a dead worker leaves no spool behind
that another would have to adopt.
"""

import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import Clients
from tests.support.oracle import Oracle, Verdict, reconcile
from tests.support.product import Product
from tests.system.outside import eventually, form
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(400), pytest.mark.xdist_group("system-workers")]

CLIENTS, RENEWALS = 16, 5
TWO_WORKERS = ["--workers=2"]


def test_a_killed_worker_costs_what_it_was_answering_and_is_replaced(tmp_path: Path, scale: Scale) -> None:
    oracle = Oracle(tmp_path / "oracle")
    with Product(tmp_path / "data", TWO_WORKERS) as product:
        with Clients(product.url, oracle, CLIENTS) as clients:
            counted = []
            for victim in ("collector-0", "collector-1"):
                time.sleep(scale.between_kills / 2)
                took = kill(product, victim)
                print(f"kill -9 {victim}: another serves after {took:.1f} s; clients met {dict(clients.met)}")
                counted.append(requests_counted(product))
                assert took < scale.patience
            time.sleep(scale.between_kills / 2)
        counted.append(requests_counted(product))
        assert counted == sorted(counted), "a counter went backwards"
        assert clients.met.keys() <= {"200", "broken"}
        assert clients.met["broken"] <= 2 * CLIENTS
        assert lost(product, oracle, scale) == []
        assert fresh_event_is_taken(product)


def test_a_rolling_restart_is_not_noticed(tmp_path: Path, scale: Scale) -> None:
    oracle = Oracle(tmp_path / "oracle")
    with Product(tmp_path / "data", TWO_WORKERS) as product:
        with Clients(product.url, oracle, CLIENTS) as clients:
            before, counted = product.pids(), requests_counted(product)
            for number in range(1, scale.renewals + 1):
                time.sleep(0.5)
                took = renew(product, number)
                print(f"renewed in {took:.1f} s; clients met {dict(clients.met)}, slowest {clients.slowest:.2f} s")
            time.sleep(0.5)
        after = product.pids()
        assert {name for name, pid in before.items() if after[name] != pid} == {
            "collector-0",
            "collector-1",
            "forwarder",
        }
        assert clients.met.keys() == {"200"}
        assert requests_counted(product) >= counted + len(oracle.acknowledged) // 2
        assert lost(product, oracle, scale) == []
        assert fresh_event_is_taken(product)
        assert not_in_time(product) == []


def test_without_the_drain_it_is(tmp_path: Path) -> None:
    """The negative control: who has asked is cut off; renewed until somebody had."""
    command = [sys.executable, "-m", "tests.support.sabotaged", "cut_off"]
    with Product(tmp_path / "data", TWO_WORKERS, command=command) as product:
        with Clients(product.url, Oracle(tmp_path / "oracle"), CLIENTS, pause=0.0) as clients:
            for number in range(1, RENEWALS + 1):
                renew(product, number)
                if clients.met["broken"]:
                    break
        print(f"clients met {dict(clients.met)}")
        assert clients.met["broken"] > 0


def test_settings_with_a_fault_change_nothing(tmp_path: Path) -> None:
    config = tmp_path / "ochn.toml"
    good = 'profile = "dev"\n[keys.demo]\nvalues = ["demo"]\n'
    config.write_text(good)
    with Product(tmp_path / "data", [*TWO_WORKERS, f"--config={config}"]) as product:
        before = product.pids()
        config.write_text(f"{good}[collector]\nbody_limit = 5\n")
        hang_up(product)
        assert eventually(lambda: said(product, "renewal.refused"))
        assert "collector.body_limit: no such setting" in said(product, "renewal.refused")[0]
        assert "send SIGHUP again" in said(product, "renewal.refused")[0]
        assert (product.pids(), fresh_event_is_taken(product)) == (before, True)
        config.write_text(f"{good}[collector]\ndrain_seconds = 2\nwarnings = true\n")
        renew(product, 1)
        assert "collector.drain_seconds" in said(product, "renewal.not_taken")[0]
        assert fresh_event_is_taken(product)
        assert before.keys() == product.pids().keys()
        assert product.process.stop() == 0


def kill(product: Product, victim: str) -> float:
    """Seconds until another serves in its place."""
    pid = product.pids()[victim]
    os.kill(pid, signal.SIGKILL)
    return seconds_until(lambda: serves(product, but_not=pid))


def hang_up(product: Product) -> None:
    product.process.popen.send_signal(signal.SIGHUP)


def renew(product: Product, number: int) -> float:
    """Seconds that the `number`th renewal took."""
    hang_up(product)
    return seconds_until(lambda: len(said(product, "renewal.done")) == number)


def said(product: Product, event: str) -> list[str]:
    return [line for line in product.process.lines if event in line]


def not_in_time(product: Product) -> list[str]:
    """Who had to be killed because it did not drain."""
    return said(product, "child.killed")


def seconds_until(reached: Callable[[], bool], deadline: float = 60.0) -> float:
    began = time.monotonic()
    assert eventually(reached, deadline)
    return time.monotonic() - began


def serves(product: Product, but_not: int) -> bool:
    """All of the tree, and `but_not` (a pid) is none of it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{product.admin_port}/health/ready", timeout=60):
            return but_not not in product.pids().values()
    except OSError:
        return False


def requests_counted(product: Product) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{product.admin_port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("ochn_requests_total"))


def lost(product: Product, oracle: Oracle, scale: Scale) -> list[Verdict]:
    """What the oracle has against it."""
    assert len(oracle.acknowledged) > 20 * CLIENTS, "too few were answered for the test to mean anything"
    return [verdict for verdict in reconcile(product, oracle, scale.deadline) if not verdict.clean]


def fresh_event_is_taken(product: Product) -> bool:
    answer = form(product.port, "/jsapi/init", {"appkey": "demo", "email": "fresh@example.com"})
    return (answer.status, answer.headers["x-event-status"]) == (200, "accepted")
