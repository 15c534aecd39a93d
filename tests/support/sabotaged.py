"""`ochn …` with one protection switched off: `python -m tests.support.sabotaged HOW …`, for the negative controls.

Each function below is one HOW. A fault test that stays green on these tests nothing.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

import eventlog.kafka.writer
import ochn.cli
import ochn.serving.child
import ochn.serving.tree
from collector.protocol import connection
from eventlog.embedded.appenders import Appenders
from eventlog.embedded.writer import EmbeddedWriter
from eventlog.errors import LogUnavailable
from eventlog.log import Position, Record, Settled
from forwarder.keeping.offsets import Offsets
from ochn.serving.running import Running
from tests.support.jumping import timers_jump, wall_clock_jumps
from tests.support.sabotaged_collector import room_for_each, take_any_size, trust_all_text, wait_for_ever
from tests.support.sabotaged_forwarder import careless, deaf, naive, waiting_for_all

HOW = "SABOTAGE"
LATE = 0.5  # seconds


def commit_before_send() -> None:
    """The forwarder commits what it has taken, not what is settled."""
    Offsets.committable = property(lambda self: self._end)  # type: ignore[assignment, method-assign]


def answer_before_durable() -> None:
    """The collector answers at once, and appends a moment later."""
    append = EmbeddedWriter.append

    def lies(self: EmbeddedWriter, records: Sequence[Record], settled: Settled) -> None:
        loop = asyncio.get_running_loop()
        for record in records:
            loop.call_soon(settled, record, Position(record.topic, 0, 0))
        loop.call_later(LATE, append, self, records, lambda *_: None)

    EmbeddedWriter.append = lies  # type: ignore[method-assign]


def forget_the_spooled() -> None:
    """What goes to the spool is answered, and stands nowhere."""

    def forgets(self: EmbeddedWriter, records: Sequence[Record], settled: Settled) -> None:
        for record in records:
            asyncio.get_running_loop().call_soon(settled, record, Position(record.topic, 0, 0))

    EmbeddedWriter.append = forgets  # type: ignore[method-assign]


def believe_the_disk() -> None:
    """What the disk refuses counts as written."""
    append = Appenders.append

    def believes(self: Appenders, group: Mapping[str, Sequence[Record]]) -> dict[str, int | LogUnavailable]:
        return {topic: found if isinstance(found, int) else 0 for topic, found in append(self, group).items()}

    Appenders.append = believes  # type: ignore[method-assign]


def leader_alone() -> None:
    """Kafka's leader acknowledges what no other broker has."""

    def producer(**told: Any) -> AIOKafkaProducer:
        return AIOKafkaProducer(**{**told, "acks": 1, "enable_idempotence": False})

    eventlog.kafka.writer.AIOKafkaProducer = producer  # type: ignore[attr-defined]


def cut_off() -> None:
    """A process that is to go is killed where it stands."""
    told = Running.signal

    def kills(self: Running, number: signal.Signals) -> None:
        told(self, signal.SIGKILL if number == signal.SIGTERM else number)

    Running.signal = kills  # type: ignore[method-assign]


def outlive_parent() -> None:
    """Nobody dies with the supervisor."""
    ochn.serving.child.die_with_parent = lambda _: None  # type: ignore[assignment,attr-defined]


def every_connection() -> None:
    """The collector lets in who comes, and keeps nothing for itself."""
    connection.most_connections = lambda: sys.maxsize  # type: ignore[attr-defined]


OCHN = "ochn"  # the supervisor; others are called as children are
EVERY = ("collector", "forwarder", "sandbox")
SABOTAGES: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
    "commit_before_send": (commit_before_send, ("forwarder",)),
    "answer_before_durable": (answer_before_durable, ("collector",)),
    "forget_the_spooled": (forget_the_spooled, ("collector",)),
    "believe_the_disk": (believe_the_disk, ("collector",)),
    "cut_off": (cut_off, (OCHN,)),
    "wall_clock_jumps": (wall_clock_jumps, (OCHN, *EVERY)),
    "timers_jump": (timers_jump, (OCHN, *EVERY)),
    "leader_alone": (leader_alone, ("collector",)),
    "every_connection": (every_connection, ("collector",)),
    "outlive_parent": (outlive_parent, EVERY),
    "wait_for_ever": (wait_for_ever, ("collector",)),
    "room_for_each": (room_for_each, ("collector",)),
    "take_any_size": (take_any_size, ("collector",)),
    "trust_all_text": (trust_all_text, ("collector",)),
    "naive": (naive, ("forwarder",)),
    "careless": (careless, ("forwarder",)),
    "deaf": (deaf, ("forwarder",)),
    "waiting_for_all": (waiting_for_all, ("forwarder",)),
}


def sabotage(how: str, process: str) -> None:
    does, processes = SABOTAGES[how]
    if process in processes:
        does()


if __name__ == "__main__":
    if HOW in os.environ:
        sabotage(os.environ[HOW], sys.argv[1])
        sys.exit(ochn.serving.child.main(sys.argv[1:]))
    os.environ[HOW] = sys.argv[1]
    sabotage(sys.argv[1], OCHN)
    ochn.serving.tree.CHILD = "tests.support.sabotaged"
    ochn.cli.main(sys.argv[2:])
