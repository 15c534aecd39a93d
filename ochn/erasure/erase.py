"""`ochn erase`: a person who asked to be forgotten."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from base.clock import Clock, SystemClock, rfc3339
from base.errors import UserError
from base.ids import SystemIds
from base.lock import lock_data_dir
from base.logs import quiet_logger
from collector.judging.identity import build_identity
from eventlog.embedded import files
from eventlog.log import EventLog
from eventlog.topics import Topics
from forwarder.transport.httpx import HttpxTransport
from ochn.config import Settings
from ochn.erasure.erasing import Eraser, beside, kept_beside, spooled
from ochn.erasure.holdings import Holdings, Search, Told, erasing
from ochn.erasure.person import Person, meant_by
from ochn.erasure.receipt import Receipt, Row, events_row, file_row, topic_rows, vendor_rows, whom
from ochn.erasure.traces import Traces
from ochn.erasure.vendors import ask_vendors, planned
from ochn.log_access import open_log, open_spool, run
from ochn.options import Config, DataDir, Yes
from ochn.output import pretty
from ochn.served import settings_of

AGAIN: Final = 4  # exit code: something could not be done, and the command is to be run again


def erase(
    person: Annotated[
        str,
        typer.Option(
            help="An e-mail, phone, customer id, or a visitor's id; email:…, phone:…, customer:…, visitor:… say which. "
            "-: read it from standard input, where neither `ps` nor the shell's history sees it."
        ),
    ],
    config: Config = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="The receipt as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the receipt there too, as JSON.")] = None,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and what stays; change nothing.")
    ] = False,
) -> None:
    """Erase a person: facts, quarantine, parked and dead letters, files; and send nothing of theirs that came before.
    Exit code 4: something could not be done; say the same again."""
    settings = settings_of(config, data_dir)
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UserError(f"the receipt can't be written to {out}", "name a file, in a folder that is there")
    text = sys.stdin.readline() if person == "-" else person
    erasure = _open(settings, text)
    with lock_data_dir(settings.data_dir, "erase"), lock_data_dir(settings.data_dir, "replay"):
        found = run(erasure.look(), settings, None)
        told = run(erasure.preview(found), settings, None)
        if not dry_run:
            if not yes:
                _agree(told, from_stdin=person == "-")
            told = run(erasure.erase(found), settings, None)
    if out is not None:
        files.replace(out, orjson.dumps(told.told(), option=orjson.OPT_INDENT_2))
    if as_json:
        pretty(told.told())
    else:
        told.draw(Console(highlight=False))
    if not told.done:
        raise typer.Exit(AGAIN)


def _open(settings: Settings, text: str) -> "Erasure":
    identity = build_identity(settings.identity, SystemIds(), quiet_logger())
    tenants = {name: key.tenant for name, key in settings.keys.items()}
    person = Person(identity, meant_by(text, identity, {*tenants.values(), "default"}))
    return Erasure(settings, open_log(settings), Topics(settings.log.topic_prefix), person, tenants, SystemClock())


def _agree(told: Receipt, *, from_stdin: bool) -> None:
    told.draw(Console(stderr=True, highlight=False))
    if from_stdin or not sys.stdin.isatty():
        raise UserError("nobody is there to agree to this", "say --yes, or --dry-run to see it only")
    if not typer.confirm("Erase this person?", err=True):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Erasure:
    settings: Settings
    log: EventLog
    topics: Topics
    person: Person
    tenants: dict[str, str]
    clock: Clock

    async def look(self) -> Holdings:
        """UserError when what was said stands for several."""
        search = await self._search(lambda _count: None)
        with _reading(await search.size()) as told:
            found = await (await self._search(told)).look(self.person)
        if len(self.person.seen) > 1:
            kinds = ", ".join(sorted(kind.removesuffix("_id") for kind in self.person.seen))
            raise UserError(f"several know that: {kinds}", "say which is meant: phone:…, customer:… or visitor:…")
        return found

    async def preview(self, found: Holdings) -> Receipt:
        at, receipt = self.clock.now(), self._receipt(dry_run=True)
        receipt.rows += topic_rows(found, {}, erased=False, left="")
        theirs = beside(self.settings.data_dir, self.person, found)
        receipt.rows.append(file_row(theirs, self._file_days, erased=False))
        receipt.rows += [
            *await self._living_on(found),
            *vendor_rows(list(planned(self.settings, self._customers)), erased=False),
        ]
        receipt.at = rfc3339(at)
        return receipt

    async def erase(self, found: Holdings) -> Receipt:
        receipt, eraser = self._receipt(dry_run=False), self._eraser()
        before = {topic: len(keys) for topic, keys in found.keys.items()}
        _say("writing the list of the erased; every forwarder that runs reads it now")
        end = await eraser.deny(self.person, found.apart, self.clock.now())
        await (await self._search(lambda _count: None)).look_again(self.person, found)
        await eraser.append(erasing(self.topics, found, self.clock.now()))
        theirs = beside(self.settings.data_dir, self.person, found)
        theirs.erase()
        behind = await eraser.forgotten(list(self.settings.destinations), end)
        await eraser.scrub()
        receipt.rows += topic_rows(found, before, erased=True, left=self._compaction)
        receipt.rows.append(file_row(theirs, self._file_days, erased=True))
        receipt.rows += [self._behind(name) for name in behind]
        receipt.rows += await self._living_on(found)
        asked = await ask_vendors(self.settings, self._customers, lambda: HttpxTransport(1), self.clock)
        receipt.rows += vendor_rows(asked, erased=True)
        return receipt

    async def _living_on(self, found: Holdings) -> list[Row]:
        rows = [events_row(self.topics.events.name, found, self.settings)]
        spool = open_spool(self.settings)
        if spool is not None:
            traces = Traces.of(self.person, found.ids)
            waiting, refused = await spooled(await spool.open_scanner(), self.topics, traces)
            later = "they wait for Kafka on this host: say the same again when it is back"
            rows.append(Row(self.topics.spool.name, waiting, None, later if waiting else "", done=not waiting))
            hours = self.settings.log.embedded.retention_hours
            rows.append(Row(self.topics.oversize.name, refused, None, f"for {hours:g} hours" if refused else ""))
        if (self.settings.data_dir / "sandbox").is_dir():
            rows.append(Row("sandbox/", 0, None, "what the sandboxed vendors were sent: yours to delete"))
        return rows

    def _behind(self, name: str) -> Row:
        said = "goes when its forwarder runs: start it, or say the same again"
        return Row(f"forwarder/{name}.db", 0, 0, said, done=False)

    def _receipt(self, *, dry_run: bool) -> Receipt:
        return Receipt(rfc3339(self.clock.now()), dry_run, whom(self.person))

    def _eraser(self) -> Eraser:
        return Eraser(self.log, self.topics, self.settings.data_dir, self.clock, SystemIds())

    @property
    def _customers(self) -> set[str]:
        return {value for kind, value in self.person.contacts if kind == "customer_id"}

    @property
    def _file_days(self) -> float:
        return self.settings.collector.files_days

    @property
    def _compaction(self) -> str:
        return "" if self.settings.log.kind == "embedded" else "on the brokers' disks until they compact it"

    async def _search(self, told: Told) -> Search:
        return Search(
            scanner=await self.log.open_scanner(),
            topics=self.topics,
            facts=tuple(self.topics.facts(name).name for name in self.settings.destinations),
            tenants=self.tenants,
            beside=frozenset(path.name for path in kept_beside(self.settings.data_dir)),
            told=told,
        )


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, markup=False)


@contextmanager
def _reading(total: int) -> Iterator[Told]:
    """A bar on a terminal, for as many passes as it takes; elsewhere it says nothing."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} records"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking for them", total=2 * total)
        yield lambda count: bar.advance(task, count)
