"""What an erasure tells: what was found and is gone, what lives on and until when, and what is still to be done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console

from base.clock import rfc3339
from ochn.config import Settings
from ochn.erasure.erasing import Beside
from ochn.erasure.holdings import Holdings
from ochn.erasure.person import Person
from ochn.erasure.vendors import Asked
from ochn.output import table

_COLUMNS: Final = ("where", "found", "erased", "what stays")
_ELSEWHERE: Final = (
    "Not reached from here: your log lines and backups, the visitor's own browser, and of other hosts the folders files/ "
    "and oversize/ (run it there too)."
)
_NOTHING: Final = "Nothing of this person was found: see that it is written as they told it."


@dataclass(frozen=True, slots=True)
class Row:
    """`erased` None: nothing is to be erased there, or not by us. `done` False: the command is to be run again."""

    where: str
    found: int
    erased: int | None
    stays: str = ""
    done: bool = True


@dataclass(slots=True)
class Receipt:
    """`person`: no contact, but the ids that stand for them; whoever holds this can't tell who it was."""

    at: str
    dry_run: bool
    person: Mapping[str, Sequence[str]]
    rows: list[Row] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return all(row.done for row in self.rows)

    def told(self) -> dict[str, Any]:
        return {**asdict(self), "done": self.done, "not_reached": _ELSEWHERE}

    def draw(self, console: Console) -> None:
        for name, ids in self.person.items():
            if ids:
                console.print(f"{name.replace('_', ' '):<15} {', '.join(ids)}", markup=False, soft_wrap=True)
        rows = [
            (row.where, str(row.found), "-" if row.erased is None else str(row.erased), row.stays) for row in self.rows
        ]
        table(_COLUMNS, rows, empty="nothing is kept", console=console)
        if not any(row.found for row in self.rows):
            console.print(_NOTHING, markup=False, soft_wrap=True)
        console.print(_ELSEWHERE, markup=False, soft_wrap=True)


def whom(person: Person) -> dict[str, list[str]]:
    told = [
        f"{len([kind for kind, _ in person.contacts if kind == one])} {one}"
        for one in ("email", "phone", "customer_id")
    ]
    return {
        "person": sorted(person.uids),
        "devices": sorted(person.whole - person.uids),
        "shared_devices": sorted(person.shared),
        "contacts": [one for one in told if not one.startswith("0")],
    }


def topic_rows(found: Holdings, before: Mapping[str, int], *, erased: bool, left: str) -> Iterator[Row]:
    """`before`: as many as there were, some of which their forwarder has taken back since."""
    for topic, keys in found.keys.items():
        count = max(len(keys), before.get(topic, 0))
        yield Row(topic, count, count if erased else None, left if count else "")
    if found.cut:
        count = len(found.cut)
        said = "of others: kept without the request and the reply, which named the person"
        yield Row("dead letters", count, count if erased else None, said)


def file_row(beside: Beside, days: float, *, erased: bool) -> Row:
    stays = f"{beside.unknown} whose events the log knows no more can't be told apart" if beside.unknown else ""
    if beside.unknown and days:
        stays += f": all go {days:g} days after they came"
    count = len(beside.theirs)
    return Row("files/, oversize/", count, count if erased else None, stays)


def events_row(topic: str, found: Holdings, settings: Settings) -> Row:
    if not found.events:
        return Row(topic, 0, None)
    embedded, kafka = settings.log.embedded, settings.log.kafka
    hours, tail = kafka.retention_hours, ", or as long later as Kafka keeps a segment open"
    if settings.log.kind == "embedded":
        hours, tail = embedded.retention_hours + embedded.segment_seconds / 3600, " at the latest"
    until = rfc3339(found.newest + hours * 3600)
    return Row(topic, found.events, None, f"they live on until {until}{tail}, and are sent to nobody any more")


def vendor_rows(asked: Sequence[Asked], *, erased: bool) -> Iterator[Row]:
    for one in asked:
        yield Row(f"at {one.destination}", 0, one.deleted if erased and one.deleted else None, one.left, one.done)
