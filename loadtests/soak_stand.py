"""The product as its user runs it, on a real Kafka, with somebody who breaks things by a schedule and somebody who looks."""

import contextlib
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from loadtests.soak_schedule import DESTINATIONS, REFUSALS, Fault
from tests.support.kafka import KafkaServer
from tests.support.product import Product, get_json

CONFIG = Path(__file__).with_name("soak.toml")
SANDBOX = "127.0.0.1:8090"  # in it
AWAY = (OSError, HTTPException, ValueError)  # whoever was asked was killed before the answer, or in it


@dataclass(frozen=True)
class Sample:
    """At a moment of the run: `ready` as /health/ready says it, or `away`; `lag` by destination."""

    at: float
    ready: str
    spooled: float
    lag: dict[str, float]


@dataclass
class Stand:
    product: Product
    kafka: KafkaServer
    samples: list[Sample] = field(default_factory=list)
    done: list[Fault] = field(default_factory=list)
    _said: list[str] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """The product's lines, also those of trees that were killed."""
        return self._said + self.product.process.lines

    def sample(self, at: float) -> Sample:
        seen = Sample(at, _ready(self.product), *_metrics(self.product))
        self.samples.append(seen)
        return seen

    def caught_up(self) -> bool:
        """Whether, as the metrics have it, nothing waits in the spool or before a destination."""
        seen = self.samples[-1]
        return (
            seen.ready == "ready"
            and not seen.spooled
            and seen.lag.keys() >= {*DESTINATIONS}
            and not any(seen.lag.values())
        )

    def breaks(self, faults: Sequence[Fault], now: Callable[[], float], tell: Callable[[Fault], None]) -> None:
        """Each in its time; those of Kafka end before the next begins."""
        for fault in faults:
            time.sleep(max(0.0, fault.at - now()))
            tell(fault)
            begun = now()
            try:
                self._break(fault)
            except (*AWAY, KeyError) as error:  # its victim is being replaced
                self._said.append(f"soak: {fault} could not be: {error!r}")
                continue
            lasted = now() - begun if fault.victim not in DESTINATIONS else fault.seconds
            self.done.append(replace(fault, at=begun, seconds=lasted))

    def _break(self, fault: Fault) -> None:
        if fault.victim in DESTINATIONS:
            how = {"times": REFUSALS} if fault.kind == "400" else {"for_seconds": fault.seconds}
            self.product.fault(destination=fault.victim, fault=fault.kind, **how)
        elif fault.victim == "kafka":
            self._break_kafka(fault)
        elif fault.kind == "renew":
            os.kill(self.product.process.popen.pid, signal.SIGHUP)
        else:
            if fault.victim == "all":
                self._said += self.product.process.lines  # a new tree has a new page
            self.product.kill(fault.victim)

    def _break_kafka(self, fault: Fault) -> None:
        if fault.kind == "freeze":
            self.kafka.freeze()
            time.sleep(fault.seconds)
            self.kafka.thaw()
            return
        (self.kafka.kill if fault.kind == "kill" else self.kafka.stop)()
        time.sleep(fault.seconds if fault.kind == "kill" else 0)
        self.kafka.start()


@contextlib.contextmanager
def stand(folder: Path) -> Iterator[Stand]:
    """`ochn dev --log kafka` with all five, in `folder`, which keeps everything."""
    config = folder / "soak.toml"
    with KafkaServer(folder / "kafka") as kafka:
        product = Product(folder / "data", ["--log=kafka", f"--kafka={kafka.bootstrap}", f"--config={config}"])
        config.write_text(CONFIG.read_text().replace(SANDBOX, f"127.0.0.1:{product.sandbox_port}"))
        with product:
            yield Stand(product, kafka)


def _ready(product: Product) -> str:
    try:
        return str(get_json(f"{product.url}/health/ready")["status"])
    except HTTPError:
        return "down"
    except AWAY:
        return "away"


def _metrics(product: Product) -> tuple[float, dict[str, float]]:
    spooled, lag = 0.0, dict[str, float]()
    with contextlib.suppress(*AWAY):
        with urllib.request.urlopen(f"http://127.0.0.1:{product.admin_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                if one.name == "ochn_lag":
                    lag[one.labels["destination"]] = one.value
                elif one.name == "ochn_spool_records":
                    spooled = one.value
    return spooled, lag


def looking(stand: Stand, now: Callable[[], float], every: float = 1.0) -> Callable[[], None]:
    """Samples in the background until what is returned is called."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(every):
            stand.sample(now())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()

    return stop
