"""Two brokers that may be stopped, and the whole product on them, its spool on a small disk of its own. Needs root."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.support.clients import Clients, InRounds
from tests.support.kafka import KafkaServer, a_place
from tests.support.oracle import Oracle, Verdict, reconcile
from tests.support.product import OCHN, Product, get_json
from tests.system.outside import eventually
from tests.system.scale import Scale

DISK = "64m"
ENOUGH = 100  # requests that were answered 200
ENVIRON = {"OCHN_LOG__KAFKA__REPLICATION": "1", "OCHN_LOG__KAFKA__REQUEST_TIMEOUT": "2"}
FENCED_SOON = "broker.session.timeout.ms=3000\n"
DUPLICATES = 2000  # in flight at one worker: Kafka lost its answer to them, or a forwarder its commit


@dataclass
class Stand(InRounds):
    pause: ClassVar[float] = 0.03

    product: Product
    brokers: tuple[KafkaServer, KafkaServer]
    prefix: str
    oracle: Oracle
    rounds: int = 0

    @contextmanager
    def frozen(self, *brokers: KafkaServer) -> Iterator[None]:
        """They hold their connections and answer nothing while the context lasts."""
        for broker in brokers or self.brokers:
            broker.freeze()
        try:
            yield
        finally:
            for broker in brokers or self.brokers:
                broker.thaw()

    def health(self) -> dict[str, Any]:
        with contextlib.suppress(OSError):  # 503
            found: dict[str, Any] = get_json(f"{self.product.url}/health/ready")
            return found
        return {"status": "down"}

    def until(self, status: str, scale: Scale) -> None:
        found = eventually(lambda: self.health()["status"] == status, scale.deadline)
        assert found, (status, self.health(), self.said()[-20:])

    def spool(self) -> dict[str, Any]:
        """What `ochn spool status` tells."""
        report: dict[str, Any] = json.loads(self.product.command("spool", "status", "--json").stdout)
        return report

    def said(self) -> list[str]:
        return [line for line in self.product.process.lines if "spool" in line or "kafka" in line]

    def collector(self) -> int:
        return self.product.pids()["collector-0"]

    @property
    def disk(self) -> Path:
        return self.product.data_dir / "spool"

    def verdicts(self, deadline: float) -> list[Verdict]:
        found = reconcile(self.product, self.oracle, deadline)
        for verdict in found:
            print(
                f"{len(self.oracle.issued)} issued, {len(self.oracle.acknowledged)} answered 2xx; at {verdict.destination}"
                f" {len(verdict.lost)} lost, {verdict.duplicates} duplicates"
            )
        return found

    def assert_nothing_lost(self, clients: Clients, scale: Scale) -> None:
        assert clients.met["200"] > ENOUGH, "too few were answered for the test to mean anything"
        verdicts = self.verdicts(scale.deadline)
        assert [verdict for verdict in verdicts if not verdict.clean or verdict.duplicates > DUPLICATES] == []


@contextmanager
def a_stand(
    directory: Path, brokers: tuple[KafkaServer, KafkaServer], command: Sequence[str] = OCHN
) -> Iterator[Stand]:
    """`command` in place of `ochn`, for negative controls."""
    prefix = directory.name
    data_dir = directory / "data"
    (data_dir / "spool").mkdir(parents=True)
    flags = ["--log=kafka", f"--kafka={','.join(broker.bootstrap for broker in brokers)}"]
    environ = {**ENVIRON, "OCHN_LOG__TOPIC_PREFIX": prefix}
    with small_disk(data_dir / "spool"), Product(data_dir, flags, environ, command) as product:
        yield Stand(product, brokers, prefix, Oracle(directory / "oracle"))


@contextmanager
def a_pair(directory: Path) -> Iterator[tuple[KafkaServer, KafkaServer]]:
    """The first is also the controller, and soon misses the second."""
    first = KafkaServer(directory / "first", a_place(1), more=FENCED_SOON)
    second = KafkaServer(directory / "second", a_place(2), [first.place], FENCED_SOON)
    try:
        for broker in (first, second):
            broker.launch()
        for broker in (first, second):
            broker.wait_ready()
        yield first, second
    finally:
        for broker in (second, first):
            if broker.running:
                broker.thaw()
                broker.kill()


@contextmanager
def small_disk(at: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", at], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is free on it while the context lasts."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        ballast.unlink()


def met(clients: Clients, status: str, more_than: int = 0) -> Callable[[], bool]:
    return lambda: clients.met[status] > more_than
