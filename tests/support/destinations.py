"""A destination brought to its end without engine and network: its calls are answered by the sandboxed vendor itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from eventlog.event import Event
from forwarder.destinations.base import Call, Destination, Fact, Outcome, Verdict
from forwarder.errors import TransportError
from forwarder.sandbox.vendor import Incoming, Vendor, decoded
from forwarder.transport import Reply, Request
from tests.support.events import NOW

ROUNDS: Final = 50

Answer = Callable[[Request], Reply | TransportError]


class MemoryFacts:
    def __init__(self) -> None:
        self.known: dict[str, Mapping[str, Any]] = {}

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self.known.get(key)

    def put(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.value is None:
                self.known.pop(fact.key, None)
            else:
                self.known[fact.key] = fact.value


@dataclass
class Course:
    """What was sent, in order, and what became of the events. `stopped` is the trouble that it ended with."""

    calls: list[Call] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stopped: Verdict | None = None

    def sent(self) -> list[tuple[str, str]]:
        return [(call.request.method, urlsplit(call.request.url).path) for call in self.calls]

    def bodies(self) -> list[Any]:
        return [body_of(call.request) for call in self.calls]


def body_of(request: Request) -> Any:
    return decoded(request.headers["Content-Type"], request.body)


def sandboxed(vendor: Vendor, prefix: str, now: float = NOW) -> Answer:
    """The vendor as it stands behind the sandbox's door, under `prefix` of the path."""

    def answer(request: Request) -> Reply:
        url = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = url.path.removeprefix(prefix)
        found = vendor.answer(
            Incoming(request.method, path, dict(parse_qsl(url.query)), headers, body_of(request)), now
        )
        return Reply(found.status, {name.lower(): value for name, value in found.headers.items()}, found.body)

    return answer


def bring(
    destination: Destination, events: Sequence[Event], answer: Answer, facts: MemoryFacts, now: float = NOW
) -> Course:
    """As the engine does: facts are stored before the next plan; it ends at the first trouble or split."""
    course = Course()
    for _ in range(ROUNDS):
        left = [event for event in events if event.id not in course.outcomes]
        if not left:
            return course
        plan = destination.plan(left, facts, now)
        assert plan.calls or plan.settled, "the plan gets nowhere"
        facts.put(plan.facts)
        course.outcomes.update(plan.settled)
        for call in plan.calls:
            verdict = destination.classify(call, answer(call.request))
            course.calls.append(call)
            facts.put(verdict.facts)
            course.outcomes.update(verdict.outcomes)
            if verdict.trouble or verdict.split:
                course.stopped = verdict
                return course
    raise AssertionError(f"not settled after {ROUNDS} rounds")
