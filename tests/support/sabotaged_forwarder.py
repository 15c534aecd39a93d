"""The forwarder with its protections against destinations switched off, one or all: see sabotaged.py."""

from dataclasses import replace
from typing import Any

from base.reasons import Dead
from forwarder.breaker import Breaker
from forwarder.calls import Calls
from forwarder.destinations.base import Call, Verdict, dead, delivered
from forwarder.errors import TransportError
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


def each_for_itself() -> None:
    """Calls that all wait for are made by each."""
    make = Calls.make

    async def alone(self: Calls, call: Call, *more: Any) -> Any:
        return await make(self, replace(call, shared=""), *more)

    Calls.make = alone  # type: ignore[method-assign,assignment]


def naive() -> None:
    """All of these."""
    never_resting()
    believing()
    each_for_itself()
