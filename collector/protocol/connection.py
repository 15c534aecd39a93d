"""One connection: what a client owes is waited for so long, and it is answered in the order in which it has asked.

A request that is whole goes one of two ways: a tracking call into the door's `take` as it is (the fast lane), anything
else to the ASGI application in uvicorn's own RequestResponseCycle. Their answers share one queue (turns.py).
"""

import asyncio
from functools import partial
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState

from base.process import most_connections
from base.reasons import Refusal
from base.serving import HttpProtocol
from collector.arrival import Reply
from collector.door.door import Door
from collector.limits import REFUSED
from collector.protocol.cycle import disconnect, make_cycle
from collector.protocol.deadline import Deadline
from collector.protocol.reading import Reading, Request
from collector.protocol.room import with_room
from collector.protocol.turns import Turn, Turns, render

_LINGER_SECONDS: Final = 2.0
_FAREWELL: Final = 1 / 8  # of the drain: who rests when it begins may have asked already, and that is on its way to us
_LINGER_BYTES: Final = 16 * 1024 * 1024
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def build_protocol(door: Door, *, fast_lane: bool) -> HttpProtocol:
    """For uvicorn's `http`. `fast_lane` False: all through ASGI, behind the same limits."""
    return with_room(partial(Connection, door, fast_lane=fast_lane), door, most_connections())


class Connection(asyncio.Protocol):
    """uvicorn calls what asyncio.Protocol has, and `shutdown`."""

    def __init__(
        self,
        door: Door,
        *,
        fast_lane: bool,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._door = door
        self._fast_lane = fast_lane
        self._config = config
        self._server = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._late)
        self._watched = -1  # the reading's step that the deadline is for
        self._turns = Turns(self._write, self._start)
        self._draining: asyncio.TimerHandle | None = None
        self._reads = True
        self._default: tuple[object, bytes] = (None, b"")
        self._discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream
        self._transport = transport
        self._flow = FlowControl(transport)
        remote = get_remote_addr(transport)
        scheme = "https" if is_ssl(transport) else "http"
        self._reading = Reading(self._door, remote[0] if remote else "", scheme, self._take)
        self._server.connections.add(self)  # type: ignore[arg-type]
        self._watch()

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._deadline.cancel()
        if self._draining is not None:
            self._draining.cancel()
        if self._reading.phase == "body":
            self._door.gone()
        self._reading.end()
        if (cycle := self._turns.drop()) is not None:
            disconnect(cycle)
        self._flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._reading.phase == "ended":
            self._discard(data)
            return
        refusal = self._reading.feed(data)
        if refusal is not None:
            self._refuse(refusal)
            return
        if self._reading.expects and not self._turns:
            self._go_on()
        self._watch()
        self._regulate()

    def eof_received(self) -> bool:
        """Who has only closed its own half is still answered what it has asked."""
        if not self._turns or self._reading.phase in ("head", "body"):
            return False
        self._end_behind_newest()
        return True

    def pause_writing(self) -> None:
        """Who does not read what it has asked for is not waited for longer than one who rests."""
        self._flow.pause_writing()
        if self._reading.phase not in ("head", "body"):
            self._deadline.set(self._config.timeout_keep_alive)
        self._regulate()

    def resume_writing(self) -> None:
        self._flow.resume_writing()
        if self._reading.phase == "idle":
            self._watched = -1
            self._watch()
        self._regulate()

    def shutdown(self) -> None:
        """Who has asked is answered while the drain lasts; then told to come again. ASGI's are uvicorn's to cancel."""
        drain = self._config.timeout_graceful_shutdown or 0
        self._draining = self._loop.call_later(drain, self._give_up)
        if self._reading.phase == "idle" and self._turns:
            self._end_behind_newest()
        elif self._reading.phase == "idle":
            self._deadline.set(drain * _FAREWELL)

    # Answers.

    def _take(self, request: Request) -> None:
        last = request.last or self._draining is not None
        if last:
            self._hear_no_more()
        turn = Turn(request.head, last=last)
        self._turns.add(turn)
        if self._fast_lane and request.head.route is not None:
            self._door.take(request.head, request.body, partial(self._respond, turn))
        else:
            turn.cycle = make_cycle(
                request,
                state=self._app_state,
                transport=self._transport,
                flow=self._flow,
                default_headers=self._server.default_headers,
                ended=self._cycle_ended,
            )
            self._advance()

    def _respond(self, turn: Turn, reply: Reply) -> None:
        if turn.reply is None:  # else the drain has answered it
            turn.reply = reply
            self._door.answered(turn.head, reply.status)
            self._advance()

    def _advance(self) -> None:
        self._turns.advance()
        if not self._turns and not self._transport.is_closing():
            if self._reading.expects:
                self._go_on()
            self._watched = -1
            self._watch()
        self._regulate()

    def _write(self, turn: Turn, reply: Reply) -> None:
        if self._transport.is_closing():
            return
        headers = self._server.default_headers
        if self._default[0] is not headers:
            self._default = headers, b"".join([b"%s: %s\r\n" % pair for pair in headers])
        self._transport.write(render(turn, reply, self._default[1]))
        self._server.total_requests += 1
        if turn.last or reply.close:
            self._turns.drop()
            self._leave(lingers=reply.close and self._draining is None)

    def _start(self, cycle: RequestResponseCycle) -> None:
        task = self._loop.create_task(cycle.run_asgi(self._config.loaded_app))
        task.add_done_callback(self._server.tasks.discard)
        self._server.tasks.add(task)

    def _cycle_ended(self) -> None:
        self._server.total_requests += 1
        self._turns.ended()
        if self._transport.is_closing():
            self._turns.drop()
        else:
            self._advance()

    # What is owed, and the ends.

    def _watch(self) -> None:
        """The rest of a head or of a body is waited for; and who owes nothing may rest for a while."""
        reading = self._reading
        if reading.steps == self._watched or reading.phase == "ended":
            return
        self._watched = reading.steps
        if reading.phase == "head":
            self._deadline.set(self._door.limits.header_seconds)
        elif reading.phase == "body":
            self._deadline.set(self._door.limits.body_seconds)
        elif self._turns and not self._flow.write_paused:
            self._deadline.clear()
        else:
            self._deadline.set(self._config.timeout_keep_alive)

    def _late(self) -> None:
        if self._flow.write_paused:  # it does not read what it is told
            self._transport.abort()
        elif self._reading.phase in ("head", "body"):
            self._refuse(REFUSED["body_seconds" if self._reading.phase == "body" else "header_seconds"])
        else:
            self._transport.close()

    def _refuse(self, reason: Refusal) -> None:
        """The connection's last answer, to a request that has not come whole."""
        turn = Turn(self._reading.head, last=True)
        self._hear_no_more()
        self._turns.add(turn)
        self._respond(turn, self._door.refuse(reason))

    def _leave(self, *, lingers: bool) -> None:
        """Closed on unread bytes, a connection is reset and its answer lost: so those are read on for a while."""
        self._hear_no_more()
        if not lingers:
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(_LINGER_SECONDS)

    def _hear_no_more(self) -> None:
        self._reading.end()
        self._deadline.clear()

    def _end_behind_newest(self) -> None:
        self._hear_no_more()
        newest = self._turns.newest()
        newest.last = True
        if newest.cycle is not None:
            newest.cycle.keep_alive = False

    def _give_up(self) -> None:
        """The drain has run out. What waits may yet become durable: told to come again it is a duplicate, no loss."""
        for turn in self._turns.unanswered():
            self._respond(turn, self._door.refuse(Refusal.DRAINING))
        if self._reading.phase in ("head", "body"):
            self._refuse(Refusal.DRAINING)

    def _regulate(self) -> None:
        """Who does not read our answers, or asks for many at once, is not read from."""
        wanted = not self._flow.write_paused and not self._turns.full()
        if wanted != self._reads and not self._transport.is_closing():
            self._reads = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _go_on(self) -> None:
        self._reading.expects = False
        self._transport.write(_CONTINUE)

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > _LINGER_BYTES:
            self._transport.abort()
