"""Where the parts of a benchmark are measured: the bare server and Kafka beside all of them, each figure taken once."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from loadtests.calls import Call
from loadtests.drive import Figures, Load
from loadtests.machine import Cores, Seats, own_seats, pin
from loadtests.servers import Collector, Server, bare
from tests.support.kafka import KafkaServer

SPOOL_DEADLINE = 120.0  # seconds for what went into the spool to reach Kafka
NO_CORES = "needs a core each for server, wrk and Kafka"


@dataclass(frozen=True)
class Options:
    """`seconds` of each measured run, `warming` before it, `down` of Kafka; `rounds`: bare and ours in turn, so often;
    `short`: only to see that it works."""

    seconds: int = 5
    rounds: int = 3
    warming: int = 1
    down: int = 60
    forwarded: int = 1_000_000  # events the forwarder begins behind
    short: bool = False


@dataclass
class Stand:
    options: Options
    seats: Seats
    bare: Server
    kafka: KafkaServer | None  # None: no core for it
    tell: Callable[[str], None]
    _known: dict[tuple[Collector, Call, int], tuple[Figures, Figures]] = field(default_factory=dict)
    figures: list[Figures] = field(default_factory=list)

    def collector(self, name: str = "Kafka", **more: object) -> Collector:
        """On Kafka; on the embedded log where Kafka has no core."""
        kafka = self.kafka.bootstrap if self.kafka else ""
        return Collector(name if kafka else "embedded", kafka, **more)  # type: ignore[arg-type]

    def of_bare(self, call: Call, connections: int) -> Figures:
        """The bare limit for this call, now."""
        return self.uncounted(self.bare, call, connections)

    def beside_bare(self, collector: Collector, call: Call, connections: int) -> tuple[Figures, Figures]:
        """The bare limit and ours, in turn, so that both have the same neighbours: the round whose ratio is the median.
        Started for it alone; measured once a run."""
        asked = (collector, call, connections)
        if asked not in self._known:
            cores = self.seats.both if collector.workers > 1 else self.seats.server
            with collector.running(cores) as server:
                rounds = range(self.options.rounds)
                pairs = [(self.of_bare(call, connections), self.on(server, call, connections)) for _ in rounds]
            self._known[asked] = sorted(pairs, key=_ratio)[len(pairs) // 2]
        return self._known[asked]

    def of(self, collector: Collector, call: Call, connections: int) -> Figures:
        return self.beside_bare(collector, call, connections)[1]

    def on(self, server: Server, call: Call, connections: int, keys: int = 1) -> Figures:
        """Of one that runs. Ends the run when the log does not hold what was answered."""
        self.tell(f"{server.name}, {call.name}, {connections} connections")
        before = server.events()
        figures = self._load(call, connections, keys).on(server, self.seats.driver)
        asked = figures.answered * call.events
        at_once = server.events() - before
        kept = at_once if at_once >= asked else server.events_once(before + asked, SPOOL_DEADLINE) - before
        check(kept, figures.answered, connections, call.events)
        return self._kept(replace(figures, spooled=max(0, asked - at_once)))

    def uncounted(self, server: Server, call: Call, connections: int) -> Figures:
        """Of one that keeps no log."""
        self.tell(f"{server.name}, {call.name}, {connections} connections")
        return self._kept(self._load(call, connections).on(server, self.seats.driver))

    def _load(self, call: Call, connections: int, keys: int = 1) -> Load:
        return Load(call, connections, self.options.seconds, self.options.warming, keys)

    def _kept(self, figures: Figures) -> Figures:
        self.figures.append(figures)
        return figures


def _ratio(pair: tuple[Figures, Figures]) -> float:
    limit, ours = pair
    return ours.events_per_second / max(1, limit.events_per_second)


def check(kept: int, answered: int, connections: int, events: int = 1) -> None:
    """`kept` events in the log for `answered` requests of `events` each: all of them, and at most those more whose
    answers wrk no longer waited for, at the end of the warming and of the run."""
    if not answered * events <= kept <= (answered + 2 * connections) * events:
        asked = answered * events
        raise SystemExit(f"{asked:,} events were answered 2xx and the log holds {kept:,}: these figures are worthless")


@contextlib.contextmanager
def stand(options: Options, tell: Callable[[str], None], *, kafka: bool) -> Iterator[Stand]:
    """`kafka`: wanted by a part; started where there is a core for it."""
    seats = own_seats()
    with bare(seats.server) as server, _broker(seats.broker if kafka else ()) as broker:
        yield Stand(options, seats, server, broker, tell)


@contextlib.contextmanager
def _broker(cores: Cores) -> Iterator[KafkaServer | None]:
    if not cores:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ochn-bench-kafka-") as directory, KafkaServer(Path(directory)) as broker:
        pin(broker.pid, cores)
        yield broker
