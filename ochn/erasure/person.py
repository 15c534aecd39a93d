"""Who is meant by `--person`, and what is theirs. Pure: it is shown all that is kept, again until it learns nothing new.

A person is known by the ids that our identity makes of an e-mail, a phone and a customer id; an event is of the first of
these that it tells. What it tells beside is the same person's, unless others told it too: a family's phone makes nobody
one with the rest. A device (pid, mid, a foreign id) is theirs when its `init` told of them, and of nobody else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from base.errors import UserError
from collector.judging.identity import Identity, IdKind
from collector.judging.person import Contact, contact_of, contact_of_lead, normal_email, normal_phone
from collector.judging.privacy import plain
from eventlog.event import Event
from eventlog.facts import UPSTREAM

Ids = Mapping[str, str]  # with the contact that makes each, normalised; empty where that isn't known
KINDS: Final = ("email", "phone", "customer_id", "visitor")
_ORDER: Final = ("customer_id", "email", "phone")  # the strongest first, as identity takes them
_PREFIXES: Final = {"email": "email", "phone": "phone", "customer": "customer_id", "visitor": "visitor"}
_NAMES: Final = {
    **dict.fromkeys(("email", "useremail"), "email"),
    **dict.fromkeys(("phone", "userphone", "mobilephone"), "phone"),
    **dict.fromkeys(("customerid", "userexternalid"), "customer_id"),
}
_TELLING: Final = (b'mail":', b'hone":', b'ustomerId":', b'xternalId":', b'"privacy":')  # no others tell of a contact
_PHONE: Final = frozenset("0123456789 ()+-./")


def meant_by(text: str, identity: Identity, tenants: Iterable[str]) -> Mapping[str, Ids]:
    """The ids that it may stand for, by kind: several where it doesn't say which it is. UserError for none."""
    text = text.strip()
    prefix, colon, rest = text.partition(":")
    named = _PREFIXES.get(prefix.lower()) if colon else None
    value = rest.strip() if named else text
    ours = identity.kind_of(value)
    if ours is not None:
        return {"uid" if ours is IdKind.CUSTOMER else "visitor": {value: ""}}
    contact = Contact(value, normal_email(value), normal_phone(value) if set(value) <= _PHONE else "")
    found = {"visitor": {value: ""}} if value else {}
    for tenant in tenants:
        for kind, uid in contact.ids(identity, tenant):
            found.setdefault(kind, {})[uid] = getattr(contact, kind)
    kinds = [named] if named else ["email"] if contact.email else [kind for kind in KINDS if kind != "email"]
    chosen = {kind: found[kind] for kind in kinds if kind in found}
    if not chosen:
        raise UserError(
            "that is no e-mail, phone, customer id, or visitor's id",
            "write email:ann@shop.example, phone:+40722…, customer:2446456 or visitor:<id>",
        )
    return chosen


@dataclass(slots=True)
class Person:
    """`meant` is what they were named by. `known`: visitors of whom something is known that names the person, though
    they are not the person's own."""

    identity: Identity
    meant: Mapping[str, Ids]
    known: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)  # kinds of `meant` that something was found of
    _ties: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # uid told beside one's own -> by whom
    _told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # device -> of whom it told
    _values: dict[str, tuple[str, str]] = field(default_factory=dict)  # uid -> the contact that makes it
    _uids: set[str] = field(default_factory=set)
    _reached: set[str] = field(default_factory=set)  # what others could have told too
    _known: tuple[object, ...] = ()  # how much, when it last settled

    def __post_init__(self) -> None:
        self._uids = {uid for kind, ids in self.meant.items() if kind != "visitor" for uid in ids}
        self._reached = {*self._uids, *self.named}
        if len(self.meant) == 1:  # else what was found has to say which it is
            told = ((uid, kind, value) for kind, ids in self.meant.items() for uid, value in ids.items())
            self._values = {uid: (kind, value) for uid, kind, value in told if value}

    @property
    def named(self) -> AbstractSet[str]:
        """Devices that the command itself names: theirs whoever else uses them."""
        return self.meant.get("visitor", {}).keys()

    @property
    def uids(self) -> set[str]:
        return self._uids

    @property
    def devices(self) -> set[str]:
        return {one for one, told in self._told.items() if told & self._uids} - self.named

    @property
    def shared(self) -> set[str]:
        """Devices that told of others too: of these only what names the person is theirs."""
        return {one for one in self.devices if self._told[one] - self._uids}

    @property
    def whole(self) -> set[str]:
        """Visitors that are the person's own."""
        return self._uids | self.named | (self.devices - self.shared)

    @property
    def contacts(self) -> set[tuple[str, str]]:
        """(kind, normalised) pairs."""
        return {value for uid, value in self._values.items() if uid in self._uids}

    def marks(self) -> tuple[bytes, ...]:
        """One of these stands in the JSON of each event that could be theirs."""
        return (*_TELLING, *(orjson.dumps(one)[1:-1] for one in self._reached | self.whole))

    def settle(self) -> bool:
        """After all was taken: what it says of who they are. False: nothing that was not known before. UserError when
        what they were named by is several people's."""
        self._uids = {uid for kind, ids in self.meant.items() if kind != "visitor" for uid in ids}
        several: set[str] = set()
        for uid in self._uids.copy():
            tellers = self._ties.get(uid, set())
            whole = self._one({uid} | tellers)
            self._uids |= whole
            several |= set() if whole else tellers
        for device in self.named & self._told.keys():
            told = self._told[device]
            self._uids |= self._one(told.union(*(self._ties.get(uid, set()) for uid in told)))
        self._uids = self._with_ties(self._uids)
        tellers = self._uids.union(*(self._told.get(device, set()) for device in self.named))
        tellers |= {who for uid in tellers for who in self._ties.get(uid, set())}
        self._reached |= tellers | {uid for uid, who in self._ties.items() if who & tellers}
        before, self._known = self._known, self._size()
        if before == self._known and several:
            people = f"{len(several)} people told that: {', '.join(sorted(several))}"
            raise UserError(people, "say which is meant, by that id")
        return before != self._known

    def _size(self) -> tuple[object, ...]:
        sums = (sum(map(len, of.values())) for of in (self._ties, self._told))
        return self._uids.copy(), len(self._reached), len(self.known), *sums

    def take(self, event: Event) -> bool:
        """Whether it is theirs, as far as is known by now."""
        contacts, told = _told_by(event, self.identity)
        who = event.person or (told[0] if told else "")
        ids = {*told, who}
        for kind, meant in self.meant.items():
            if event.subject in meant or meant.keys() & ids:
                self.seen.add(kind)
        if ids & self._reached:
            self._values |= contacts
        if event.kind in ("init", "register") and ids & self._reached:
            owner = told[0] if told and event.kind == "register" else who
            for uid in ids - {owner} if event.kind == "init" else told[1:]:
                self._ties[uid].add(owner)
        if event.kind == "init" and who:
            for device in self._devices(event):
                if who in self._reached or device in self._told or device in self.named:
                    self._told[device].add(who)
        mentioned = bool(ids & self._uids) and (event.person is None or event.kind == "register")
        return who in self._uids or event.subject in self.whole or mentioned

    def take_facts(self, owner: str, doc: Mapping[str, Any], tenants: Mapping[str, str]) -> bool:
        """Whether a destination knows something of theirs there. `tenants` by app key's name. What a lead told makes
        its device nobody's: only what the vendor was told of the visitor itself does."""
        theirs = owner in self.whole
        for key, value in doc.items():
            found = self._values_of(_contacts_in(value), tenants.get(key.partition("/")[0], ""))
            if found.keys() & self._uids:
                theirs = True
                self._values |= found
            if found and key.endswith(f"/{UPSTREAM}") and self.identity.kind_of(owner) is not IdKind.CUSTOMER:
                who = min(found, key=lambda uid: _ORDER.index(found[uid][0]))
                if who in self._reached or owner in self._told or owner in self.named:
                    self._told[owner].add(who)
        if theirs and owner not in self.whole:
            self.known.add(owner)
        return theirs

    def _one(self, uids: set[str]) -> set[str]:
        """All that is known of the one person whose these are; nobody, when they are several people's."""
        return next((whole for uid in uids if uids <= (whole := self._with_ties({uid}))), set())

    def _with_ties(self, uids: set[str]) -> set[str]:
        """And what they told that nobody else did."""
        while more := {uid for uid, who in self._ties.items() if who <= uids} - uids:
            uids = uids | more
        return uids

    def _devices(self, event: Event) -> set[str]:
        ids = {event.subject, event.data.get("pid", "")}
        return {one for one in ids if isinstance(one, str) and one and self.identity.kind_of(one) != IdKind.CUSTOMER}

    def _values_of(self, contacts: Iterable[tuple[str, str]], tenant: str) -> dict[str, tuple[str, str]]:
        return {self.identity.hashed(IdKind.CUSTOMER, kind, tenant, value): (kind, value) for kind, value in contacts}


def _told_by(event: Event, identity: Identity) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """Its contacts by the uid that each makes; and all uids, the strongest first, also those of a key that keeps hashes."""
    lead = event.data.get("lead")
    one = contact_of_lead(lead) if isinstance(lead, dict) else contact_of(event.data)
    contacts = {uid: (kind, getattr(one, kind)) for kind, uid in one.ids(identity, event.tenant)}
    parts = dict(part.split("=", 1) for part in (event.privacy or "").split(";") if "=" in part)
    hashes = [parts[name] for name in _ORDER if name in parts]
    return contacts, tuple(dict.fromkeys((*contacts, *hashes)))


def _contacts_in(value: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        yield from _contacts_in(item)
        kind = _NAMES.get(plain(name), "")
        normal = {"email": normal_email, "phone": normal_phone}.get(kind, lambda text: str(text).strip())(item)
        if kind and isinstance(item, str) and normal:
            yield kind, normal
