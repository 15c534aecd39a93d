"""The reckoning of a soak, pure: what was answered 200, what our books say of it, what the vendors really received."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests.soak_load import Sent
from tests.support.oracle import ARRIVED, payload

Call = Mapping[str, Any]
# What an event that stands in the log twice has come to: the first of these that any of its records has.
RANK = ("delivered", "dead", "parked", "filtered", "")
# Where each must arrive: filtered there it is lost. At Footprints a phone that told nothing is parked.
_EVERYWHERE = frozenset(ARRIVED)
_BUT_CONTACTS = _EVERYWHERE - {"ray", "expertsender"}
WANTED: Mapping[tuple[str, str], frozenset[str]] = {
    ("known", "visit"): _EVERYWHERE,
    ("known", "sale"): _EVERYWHERE,
    ("known", "feedback"): _BUT_CONTACTS,
    ("device", "visit"): _EVERYWHERE,
    ("device", "sensors"): frozenset({"footprints"}),
    ("device", "geo"): frozenset({"footprints"}),
    ("anonymous", "visit"): _BUT_CONTACTS,
    ("nameless", "visit"): _BUT_CONTACTS,
}


@dataclass(frozen=True)
class Entry:
    """An event of the log, and what our receipts say: destination -> (outcome, reason); none yet: left out."""

    id: str
    client: str
    outcomes: Mapping[str, tuple[str, str]]


@dataclass
class Account:
    """One destination's. `accepted` = the sum of the four + `missing`; `lied`: delivered by our books, and not at the
    vendor; `wrongly`: filtered, though it is wanted there; `spoiled`: arrived with another payload; `invented`: arrived, and is not in the log."""

    destination: str
    accepted: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    lied: list[str] = field(default_factory=list)
    wrongly: list[str] = field(default_factory=list)
    spoiled: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    duplicates: int = 0

    @property
    def faults(self) -> dict[str, list[str]]:
        kinds = {"missing": self.missing, "not at the vendor": self.lied, "wrongly filtered": self.wrongly}
        kinds |= {"spoiled": self.spoiled, "invented": self.invented}
        return {kind: ids for kind, ids in kinds.items() if ids}

    def told(self) -> dict[str, Any]:
        counts = {"outcomes": dict(self.outcomes), "reasons": dict(self.reasons), "duplicates": self.duplicates}
        return {"destination": self.destination, "accepted": self.accepted, **counts, "faults": self.faults}


def reckon(sent: Mapping[str, Sent], entries: Iterable[Entry], calls: Mapping[str, Iterable[Call]]) -> list[Account]:
    """An account for each destination. `calls` are the vendor's own records, by destination."""
    acknowledged = {one.id: one for one in sent.values() if one.id}
    books: dict[str, list[Entry]] = {}
    for entry in entries:
        books.setdefault(entry.id, []).append(entry)
    return [_account(name, acknowledged, books, list(calls[name])) for name in ARRIVED]


def _account(
    name: str, acknowledged: Mapping[str, Sent], books: Mapping[str, list[Entry]], calls: list[Call]
) -> Account:
    came = Counter(event_id for call in calls if taken(call) for event_id in _ids(name, call))
    account = Account(name, accepted=len(acknowledged), duplicates=came.total() - len(came))
    account.invented = sorted(came.keys() - books.keys())
    for event_id, one in acknowledged.items():
        outcome, reason = _best(name, books.get(event_id, []))
        told = f"{event_id} ({one.who} {one.what}, {one.client})"
        if not outcome:
            account.missing.append(told)
            continue
        account.outcomes[outcome] += 1
        if outcome != "delivered":
            account.reasons[f"{outcome}: {reason}"] += 1
        if outcome == "delivered" and event_id not in came:
            account.lied.append(told)
        if outcome == "filtered" and name in WANTED[one.who, one.what]:
            account.wrongly.append(f"{told}: {reason}")
    arrived = ARRIVED[name]([dict(call) for call in calls if taken(call)])
    account.spoiled = [client for client, told in arrived if told != payload(client)]
    return account


def _best(name: str, entries: Iterable[Entry]) -> tuple[str, str]:
    told = [entry.outcomes.get(name, ("", "")) for entry in entries]
    return min(told, key=lambda one: RANK.index(one[0]), default=("", ""))


def taken(call: Call) -> bool:
    """Whether the vendor took what was in it: a late answer is one too."""
    return bool(call["events"]) and call["fault"] in (None, "slow", "drip")


def _ids(name: str, call: Call) -> Iterator[str]:
    """Our event ids in a call that carries events; a register or an init is made for an event, and carries none."""
    body = call["body"]
    if name == "footprints":
        if not call["path"].endswith("/init"):
            yield call["headers"]["x-event-id"]
    elif name == "netcore":
        yield from (activity["activity_params"]["event_id"] for activity in body)
    elif name == "ray":
        yield from (item["customProps"]["event_id"] for item in body)
    elif name == "expertsender":
        yield call["headers"]["x-event-id"]
    else:
        yield from (item["random_id"] for item in body["data"])
