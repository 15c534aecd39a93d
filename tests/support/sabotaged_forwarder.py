"""The forwarder with its protections against destinations switched off, one or all: see sabotaged.py."""

import sys
from typing import Any

from base.reasons import Dead
from eventlog.embedded.groups import Groups, Lease
from eventlog.erased import Erased
from eventlog.log import Gap, Item
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.calls import Calls
from forwarder.delivery.relay import Relay
from forwarder.destinations.base import Call, Verdict, dead, delivered
from forwarder.errors import TransportError
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.ledger import Ledger
from forwarder.renewal import Renewable
from forwarder.transport import Reply


def never_resting() -> None:
    """Who is down is called as if it were not."""
    Breaker.allows = lambda *_: True  # type: ignore[method-assign]
    Breaker.failed = lambda *_: None  # type: ignore[method-assign]


def believing() -> None:
    """Whatever comes with 200 is success, and whoever stands in a batch that is refused is refused."""
    judge = Renewable.classify

    def classify(self: Renewable, call: Call, reply: Reply | TransportError) -> Verdict:
        if call.events and isinstance(reply, Reply) and reply.status == 200:
            return Verdict({event.id: delivered() for event in call.events})
        verdict = judge(self, call, reply)
        if verdict.split:
            return Verdict({event.id: dead(Dead.REFUSED) for event in call.events})
        return verdict

    Renewable.classify = classify  # type: ignore[method-assign]


def deaf() -> None:
    """The list of who was erased says nothing to it."""
    Erased.denies = lambda *_: False  # type: ignore[method-assign]


def each_for_itself() -> None:
    """Calls that all wait for are made by each."""
    make = Calls.make

    async def alone(self: Calls, call: Call, *more: Any) -> Any:
        return await make(self, call._replace(shared=""), *more)

    Calls.make = alone  # type: ignore[method-assign,assignment]


def all_leases_hold() -> None:
    """Who comes back too late commits as if nobody had taken over."""

    def update(self: Groups, lease: Lease, columns: str, *values: float | str) -> bool:
        statement = f"update leases set {columns} where consumers = ? and topic = ?"
        self._database.execute(statement, (*values, lease.group, lease.topic))
        return True

    Groups._update = update  # type: ignore[method-assign]


def passing_over_gaps() -> None:
    take = Relay._take

    async def blind(self: Relay, item: Item) -> None:
        if not isinstance(item, Gap):
            await take(self, item)

    Relay._take = blind  # type: ignore[method-assign]


def waiting_for_all() -> None:
    """However much is settled, the committed offset waits for the one event that is not, nothing is parked for it, and
    a start knows no more than the offset."""
    Ahead.told = lambda *_: None  # type: ignore[method-assign]
    Ledger.room = lambda *_: sys.maxsize  # type: ignore[method-assign]
    Ledger.heads = lambda *_: []  # type: ignore[method-assign]


def careless() -> None:
    """Both of these."""
    all_leases_hold()
    passing_over_gaps()


def naive() -> None:
    """The three of these that a destination's faults bring to light."""
    never_resting()
    believing()
    each_for_itself()
