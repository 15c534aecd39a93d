"""One plan in the making. A visitor who must be registered, or whose contacts must be told, first waits with all that
follows; the others go out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from base.reasons import Dead, Filter
from eventlog.event import Event
from forwarder.destinations.base import Call, Fact, Facts, Outcome, Plan, dead, filtered, visitor_key
from forwarder.destinations.bodies import Encoded, batches
from forwarder.destinations.contact import Contact, contact_by_now
from forwarder.destinations.engagelab import person
from forwarder.destinations.engagelab.mapping import is_reported, reported, rule_against
from forwarder.destinations.engagelab.person import Identity, Known
from forwarder.destinations.engagelab.requests import MAX_BYTES, MAX_IDENTITIES, Requests
from forwarder.destinations.engagelab.settings import EngageLabSettings
from forwarder.destinations.values import happened


@dataclass(frozen=True, slots=True)
class Newcomer:
    """`init` is the event that the register settles; `alone`: a list with them was refused; `again`: their EUID is
    none any more."""

    visitor: str
    identity: Identity
    init: Event | None
    alone: bool
    again: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    settings: EngageLabSettings
    requests: Requests
    facts: Facts
    now: float
    learned: dict[str, Contact] = field(default_factory=dict)
    settled: dict[str, Outcome] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    newcomers: list[Newcomer] = field(default_factory=list)
    contacts: list[Call] = field(default_factory=list)
    reports: list[Encoded] = field(default_factory=list)
    who: dict[str, tuple[str, str, bool]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        visitor = visitor_key(event)
        if visitor in self.waiting:
            return  # nothing is learned of what is later: it would change who the waiting ones come from
        contact = contact_by_now(event, self.facts, self.learned)
        rule, identity = rule_against(event, self.settings), person.identity_of(event, contact)
        if rule is not None:
            self.settled[event.id] = filtered(rule)
        elif identity is None:
            self.settled[event.id] = dead(Dead.IDENTITY_TOO_LONG, f"over {person.LONGEST_IDENTITY} characters")
        else:
            self._place(event, visitor, identity, contact)

    def _place(self, event: Event, visitor: str, identity: Identity, contact: Contact) -> None:
        known = person.known(visitor, identity, self.facts)
        if known.euid is None:
            self._introduce(event, visitor, identity, contact, again=known.stale)
            return
        news = person.untold(event, contact, known.euid, self.facts, self.now)
        if isinstance(news, str):
            self.settled[event.id] = dead(Dead.REFUSED, news)
        elif news:
            self._tell(event, visitor, identity, known, news)
        elif is_reported(event, self.settings):
            self._report(event, visitor, identity, known)
        else:
            self.settled[event.id] = filtered(Filter.SAME_INIT)

    def _introduce(self, event: Event, visitor: str, identity: Identity, contact: Contact, *, again: bool) -> None:
        refused = person.refusal(visitor, identity, self.facts, self.now)
        if refused:
            self.settled[event.id] = dead(Dead.UPSTREAM_INIT_REFUSED, refused)
            return
        whole = not is_reported(event, self.settings) and not person.contacts_of(contact)
        self.waiting.add(visitor)
        self.newcomers.append(Newcomer(visitor, identity, event if whole else None, refused is not None, again))

    def _tell(self, event: Event, visitor: str, identity: Identity, known: Known, contacts: Mapping[str, str]) -> None:
        self.waiting.add(visitor)
        memo = {
            "visitor": visitor,
            "identity": str(identity),
            "fresh": self._is_fresh(known),
            "euid": known.euid,
            "contacts": contacts,
            "now": self.now,
        }
        settles = () if is_reported(event, self.settings) else (event,)
        self.contacts.append(Call("contact", self.requests.contact(known.euid or 0, contacts), settles, memo=memo))

    def _report(self, event: Event, visitor: str, identity: Identity, known: Known) -> None:
        encoded = orjson.dumps(reported(event, known.euid or 0, self.settings, self.now))
        if len(encoded) > MAX_BYTES - len(b"[]"):
            self.settled[event.id] = dead(Dead.TOO_LARGE, f"{len(encoded)} bytes; a call takes {MAX_BYTES}")
            return
        self.who[event.id] = (visitor, str(identity), self._is_fresh(known))
        self.reports.append((event, encoded))

    def _is_fresh(self, known: Known) -> bool:
        """An EUID that was just asked for again is not asked for a third time."""
        return not 0 <= self.now - known.renewed < person.HOLDS

    def plan(self) -> Plan:
        """Reports first: they are of what came before."""
        max_age = self.settings.max_age_hours * 3600
        calls = []
        for batch in batches(self.reports, self.settings.batch_events, MAX_BYTES):
            events = tuple(event for event, _ in batch)
            late = frozenset(event.id for event in events if self.now - happened(event, self.now) > max_age)
            memo = {"late": late, "who": {event.id: self.who[event.id] for event in events}}
            calls.append(Call("report", self.requests.report(batch), events, memo=memo))
        calls += [*self._registers(), *self.contacts]
        return Plan(tuple(calls), self.settled, tuple(Fact(key, contact) for key, contact in self.learned.items()))

    def _registers(self) -> Iterator[Call]:
        """Visitors of one identity share its place in a list."""
        for name in ("user_id", "anonymous_id"):
            together: dict[str, list[Newcomer]] = {}
            for one in self.newcomers:
                if one.identity.name == name and one.alone:
                    yield self._register(name, [one])
                elif one.identity.name == name:
                    together.setdefault(one.identity.value, []).append(one)
            values = list(together)
            for start in range(0, len(values), MAX_IDENTITIES):
                chosen = values[start : start + MAX_IDENTITIES]
                yield self._register(name, [one for value in chosen for one in together[value]])

    def _register(self, name: str, newcomers: Sequence[Newcomer]) -> Call:
        values = dict.fromkeys(one.identity.value for one in newcomers)
        settles = {one.init.id: one for one in newcomers if one.init is not None}
        memo = {
            "visitors": {one.visitor: one.identity for one in newcomers},
            "by_event": {event_id: one.visitor for event_id, one in settles.items()},
            "renewed": frozenset(one.visitor for one in newcomers if one.again),
            "now": self.now,
        }
        events = tuple(one.init for one in newcomers if one.init is not None)
        return Call("register", self.requests.register(name, list(values)), events, memo=memo)
