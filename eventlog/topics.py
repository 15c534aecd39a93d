"""The topics, their names under the prefix, and how each keeps its records."""

from dataclasses import dataclass
from typing import Literal

Cleanup = Literal["delete", "compact", "compact,delete"]


@dataclass(frozen=True, slots=True)
class Topic:
    """`as_events`: partitioned as events are, so that one worker holds both; else one partition is enough.
    `until_read`, of the embedded log: what every group has committed is deleted, and nothing else is. `hours`: how long
    its records are kept, if not as long as the log's settings say of all."""

    name: str
    cleanup: Cleanup = "delete"
    as_events: bool = False
    until_read: bool = False
    hours: float | None = None


@dataclass(frozen=True, slots=True)
class Topics:
    prefix: str = "ochn"

    @property
    def events(self) -> Topic:
        return Topic(f"{self.prefix}.events", as_events=True)

    @property
    def quarantine(self) -> Topic:
        """Bad coming in; keyed by event id, so that one can be erased or taken back."""
        return Topic(f"{self.prefix}.quarantine", "compact,delete")

    @property
    def dead_letters(self) -> Topic:
        """Refused going out; keyed by `<event id>:<destination>`: two destinations may refuse the same event."""
        return Topic(f"{self.prefix}.dead-letters", "compact,delete")

    @property
    def parked(self) -> Topic:
        return Topic(f"{self.prefix}.parked", "compact,delete")

    @property
    def receipts(self) -> Topic:
        return Topic(f"{self.prefix}.receipts")

    def facts(self, destination: str) -> Topic:
        return Topic(f"{self.prefix}.facts.{destination}", "compact", as_events=True)

    @property
    def ledger(self) -> Topic:
        """Reserved: reconciliation."""
        return Topic(f"{self.prefix}.ledger")

    @property
    def erased(self) -> Topic:
        """People who asked to be forgotten (eventlog/erased.py)."""
        return Topic(f"{self.prefix}.erased", "compact")

    def group(self, destination: str) -> str:
        """The consumer group of a destination: each reads at its own pace."""
        return f"{self.prefix}.{destination}"

    @property
    def spool(self) -> Topic:
        """Embedded only: what waits for Kafka."""
        return Topic(f"{self.prefix}.spool", until_read=True)

    @property
    def oversize(self) -> Topic:
        """Embedded only: what Kafka refuses for its size."""
        return Topic(f"{self.prefix}.oversize")

    def all(self, destinations: tuple[str, ...]) -> tuple[Topic, ...]:
        fixed = (self.events, self.quarantine, self.dead_letters, self.parked, self.receipts, self.ledger, self.erased)
        return (*fixed, *(self.facts(name) for name in destinations))


def topic_named(name: str) -> Topic:
    """One of the above under any prefix, by its name; any other name is kept as events are, in one partition."""
    prefix, _, destination = name.rpartition(".facts.")
    if prefix:
        return Topics(prefix).facts(destination)
    topics = Topics(name.rpartition(".")[0])
    return next((topic for topic in topics.all(()) if topic.name == name), Topic(name))
