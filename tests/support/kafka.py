"""A real Kafka for tests: brokers in KRaft mode, each on loopback ports and in a directory of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.support.detached import end_with
from tests.support.ports import free_ports
from tests.support.tools import kafka_class_path, require

CLUSTER_ID = "b2Nobi10ZXN0LWthZmthMQ"  # any 16 bytes in base64
READY = "Kafka Server started"
START_DEADLINE = 90.0  # seconds: a broker is up in five, on two busy cores in twenty
STOP_DEADLINE = 30.0
# Tests create their topics themselves (one that is missing must be seen), never wait for a group's members,
# and want many brokers in little memory: hence few internal partitions and a small cleaner.
SETTINGS = """\
process.roles={roles}
node.id={place.node}
controller.quorum.voters={voters}
listeners={listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{place.port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={directory}/log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=2
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
log.cleaner.dedupe.buffer.size=4194304
"""


@dataclass(frozen=True)
class Place:
    """Where one broker listens: for clients, and for the other controllers."""

    node: int
    port: int
    controller_port: int


class Kafka:
    """A Kafka that runs somewhere: what most tests need."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def console_consumer(self, topic: str, *options: str, count: int, timeout: float = 60.0) -> str:
        """What Kafka's own console consumer prints of a topic's first `count` records; fails when fewer come."""
        tool = java("org.apache.kafka.tools.consumer.ConsoleConsumer", heap="128m")
        what = ["--bootstrap-server", self.bootstrap, "--topic", topic, "--from-beginning"]
        until = ["--max-messages", str(count), "--timeout-ms", str(int(timeout * 1000))]
        done = run([*tool, *what, *until, *options], timeout=timeout + STOP_DEADLINE)
        if f"Processed a total of {count} messages" not in done.stderr:  # it calls giving up a success
            raise TimeoutError(f"fewer than {count} records came within {timeout:.0f} s: {done.stderr[-1000:]}")
        return done.stdout


class KafkaServer(Kafka):
    """One broker that its test may stop, kill, freeze, and start again on the same data."""

    def __init__(
        self, directory: Path, place: Place | None = None, voters: Iterable[Place] = (), more: str = ""
    ) -> None:
        """`voters` are the controllers, itself alone when none is named. `more`: lines of its settings."""
        self.directory, self._more = directory, more
        self.place = place or a_place(1)
        self.voters = tuple(voters) or (self.place,)
        self.output = directory / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._read_from = 0
        super().__init__(f"127.0.0.1:{self.place.port}")

    def start(self) -> Self:
        """Starts the broker on whatever its directory holds, and waits until it serves."""
        self.launch()
        self.wait_ready()
        return self

    def launch(self) -> None:
        """Starts without waiting: the brokers of a cluster only become ready together."""
        settings = self.directory / "server.properties"
        if not settings.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            settings.write_text(self._settings())
            run([*java("kafka.tools.StorageTool", heap="64m"), "format", "-t", CLUSTER_ID, "-c", str(settings)])
        with self.output.open("ab") as output:
            self._read_from = output.tell()
            command = [*java("kafka.Kafka", heap="384m"), str(settings)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        end_with(os.getpid(), self._process.pid)

    def wait_ready(self, deadline: float = START_DEADLINE) -> None:
        until = time.monotonic() + deadline
        while READY not in (said := self._said()):
            if self._running().poll() is not None:
                raise RuntimeError(f"Kafka ended while it started; its last words:\n{said[-3000:]}")
            if time.monotonic() > until:
                raise TimeoutError(f"Kafka was not ready within {deadline:.0f} s; it said:\n{said[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """An orderly shutdown, or the end of one that takes too long."""
        process, self._process = self._running(), None
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """kill -9."""
        process, self._process = self._running(), None
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """SIGSTOP: its connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()

    def _settings(self) -> str:
        voters = ",".join(f"{one.node}@127.0.0.1:{one.controller_port}" for one in self.voters)
        roles, listeners = "broker", f"PLAINTEXT://127.0.0.1:{self.place.port}"
        if self.place in self.voters:
            roles += ",controller"
            listeners += f",CONTROLLER://127.0.0.1:{self.place.controller_port}"
        told = SETTINGS.format(
            place=self.place,
            roles=roles,
            listeners=listeners,
            voters=voters,
            copies=min(3, len(self.voters)),
            directory=self.directory,
        )
        return told + self._more

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this broker was not started")
        return self._process

    def _said(self) -> str:
        """What it printed since its last start."""
        with self.output.open("rb") as output:
            output.seek(self._read_from)
            return output.read().decode(errors="replace")


def a_place(node: int) -> Place:
    port, controller_port = free_ports(2)
    return Place(node, port, controller_port)


def cluster(directory: Path, size: int) -> list[KafkaServer]:
    """Brokers that replicate to each other; launch all, then wait for each."""
    ports = free_ports(2 * size)
    places = [Place(node, *ports[2 * node - 2 : 2 * node]) for node in range(1, size + 1)]
    return [KafkaServer(directory / f"broker-{place.node}", place, places) for place in places]


def java(main: str, *, heap: str) -> list[str]:
    """A Java command that starts fast and stays small: one compiler tier, a serial collector."""
    log = "-Dorg.slf4j.simpleLogger"
    quiet = [f"{log}.defaultLogLevel=warn", f"{log}.log.kafka.server.KafkaRaftServer=info"]
    speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Xshare:auto"]
    return [require("java"), f"-Xmx{heap}", *speed, *quiet, "-cp", kafka_class_path(), main]


def run(command: list[str], *, timeout: float = START_DEADLINE) -> subprocess.CompletedProcess[str]:
    """Runs a Java tool to its end; raises with its last words when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[-1]} … failed with {done.returncode}:\n{done.stderr[-3000:]}")
    return done
