"""An intake that keeps what it is given: the door is tested without the rest of the house."""

import asyncio
from dataclasses import dataclass, field

import orjson

from base.reasons import Refusal
from collector.arrival import Arrival, Reply, Respond

_STATUS = {
    Refusal.NOT_FOUND: 404,
    Refusal.NOT_PASSED_THROUGH: 404,
    Refusal.WRONG_METHOD: 405,
    Refusal.TOO_LARGE: 413,
    Refusal.SLOW_REQUEST: 408,
    Refusal.URL_TOO_LONG: 414,
    Refusal.HEADERS_TOO_LARGE: 431,
    Refusal.NOT_HTTP: 400,
    Refusal.DRAINING: 503,
    Refusal.OVERLOADED: 503,
}


@dataclass
class StandIn:
    """Answers at once, or when `held` is set."""

    held: asyncio.Event | None = None
    arrivals: list[Arrival] = field(default_factory=list)
    waiting: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, arrival: Arrival, respond: Respond) -> None:
        self.arrivals.append(arrival)
        reply = Reply(200, b"{}", (("x-event-id", arrival.event_id),))
        if self.held is None:
            respond(reply)
        else:
            self.waiting.add(asyncio.create_task(self._later(self.held, reply, respond)))

    async def _later(self, held: asyncio.Event, reply: Reply, respond: Respond) -> None:
        await held.wait()
        respond(reply)

    def refuse(self, reason: Refusal) -> Reply:
        return Reply(_STATUS[reason], orjson.dumps({"status": "error", "success": False, "message": reason.value}))


@dataclass
class Patient(StandIn):
    """Answers when the test says so, in whatever order; each answer is the body that came."""

    responds: dict[bytes, Respond] = field(default_factory=dict)

    def take(self, arrival: Arrival, respond: Respond) -> None:
        self.arrivals.append(arrival)
        self.responds[arrival.body] = respond

    def answer(self, *bodies: bytes) -> None:
        for body in bodies:
            self.responds[body](Reply(200, body))
