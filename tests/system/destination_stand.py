"""The whole product with all five destinations on at its sandbox, whose faults a test orders; and what it asks after."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from base.clock import from_rfc3339
from tests.support.clients import InRounds
from tests.support.house import ROOT
from tests.support.oracle import ARRIVED, Oracle, Verdict, reconcile
from tests.support.product import OCHN, Product
from tests.system.outside import eventually
from tests.system.scale import Scale

EVERY = tuple(ARRIVED)
CONFIG = ROOT / "loadtests" / "soak.toml"
TIMEOUT = 1.0  # seconds a call may take: a destination that hangs fails so soon


def environ(scale: Scale, more: Mapping[str, str]) -> dict[str, str]:
    """What is shortened; a name's underscores in pairs part tables."""
    told = {
        "FORWARDER__PROBE_SECONDS": scale.probe_seconds,
        "FORWARDER__FIRST_RETRY": scale.probe_seconds / 20,
        "FORWARDER__LONGEST_RETRY": scale.probe_seconds * 1.5,
        **{f"DESTINATIONS__{name.upper()}__TIMEOUT": TIMEOUT for name in EVERY},
        **more,
    }
    return {f"OCHN_{name}": str(value) for name, value in told.items()}


@dataclass
class Stand(InRounds):
    pause: ClassVar[float] = 0.06  # about fifty events a second

    product: Product
    scale: Scale
    oracle: Oracle
    deadline: float
    bootstrap: str = ""  # of Kafka, where that is the log
    prefix: str = "ochn"
    rounds: int = 0

    def status(self, destination: str) -> dict[str, Any]:
        """As the forwarder tells it; nothing before it has told for the first time, which on Kafka takes a while."""
        path = self.product.data_dir / "forwarder" / f"{destination}.status.json"
        if not path.exists():
            return {"state": "not told yet"}
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found

    def dead(self, destination: str) -> list[dict[str, Any]]:
        letters = self.product.command("dead-letters", "list", f"--destination={destination}", "--json")
        return [json.loads(line) for line in letters.stdout.splitlines()]

    def calls(self, destination: str, after: int = 0) -> list[dict[str, Any]]:
        return self.product.received(destination, after)

    def mark(self, destination: str) -> int:
        return len(self.calls(destination))

    def well(self) -> bool:
        return all(self.status(name)["state"] == "running" for name in EVERY)

    def missing(self, destinations: Sequence[str] = EVERY, deadline: float | None = None) -> list[str]:
        """What was answered 2xx and is not there, or is there and was never sent, or is not as it was sent."""
        found = reconcile(self.product, self.oracle, self.deadline if deadline is None else deadline, destinations)
        return [_said(verdict) for verdict in found if not verdict.clean]

    def verdicts(self) -> list[Verdict]:
        """As it is now."""
        return reconcile(self.product, self.oracle, 0.0, EVERY)

    def keeps_up(self, destinations: Sequence[str]) -> list[str]:
        """With what was answered until now, at once: the load goes on meanwhile."""
        asked, known = time.monotonic(), Oracle(self.oracle.path.with_suffix(".now"))
        known.acknowledged, known.issued = set(self.oracle.acknowledged), self.oracle.issued
        found = reconcile(self.product, known, min(self.scale.patience, self.deadline), destinations)
        late = [_said(verdict) for verdict in found if verdict.lost]
        return [f"{one} after {time.monotonic() - asked:.1f} s" for one in late]

    def wait_until_well(self) -> None:
        assert eventually(self.well, self.deadline), [self.status(name) for name in EVERY]


def _said(verdict: Verdict) -> str:
    lost, invented, spoiled = len(verdict.lost), len(verdict.invented), len(verdict.spoiled)
    return f"{verdict.destination}: {lost} lost, {invented} invented, {spoiled} spoiled"


@contextmanager
def a_stand(
    directory: Path,
    scale: Scale,
    *,
    kafka: str = "",
    command: Sequence[str] = OCHN,
    deadline: float | None = None,
    more: Mapping[str, str] | None = None,
) -> Iterator[Stand]:
    """`kafka`: its address; else the log is embedded. `command` in place of `ochn`, for negative controls; those need not
    wait for what never comes."""
    config, prefix = directory / "ochn.toml", f"s-{uuid.uuid4().hex}" if kafka else "ochn"
    flags = [f"--config={config}", *(["--log=kafka", f"--kafka={kafka}"] if kafka else [])]
    told = environ(scale, {"LOG__TOPIC_PREFIX": prefix, **(more or {})})
    product = Product(directory / "data", flags, told, command)
    config.write_text(CONFIG.read_text().replace(":8090/", f":{product.sandbox_port}/"))
    patience = scale.deadline if deadline is None else deadline
    with product:
        yield Stand(product, scale, Oracle(directory / "oracle"), patience, kafka, prefix)


def at(call: dict[str, Any]) -> float:
    return from_rfc3339(call["at"])


def closest(calls: Sequence[dict[str, Any]]) -> float:
    """Seconds between the two that followed each other the soonest."""
    times = [at(call) for call in calls]
    return min((later - earlier for earlier, later in pairwise(times)), default=float("inf"))
