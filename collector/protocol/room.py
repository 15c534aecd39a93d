"""As many connections as leave the process its own files: the log must be able to open its next one."""

import asyncio
from typing import Any

from uvicorn.server import ServerState

from base.reasons import Refusal
from base.serving import HttpProtocol
from collector.door.door import Door
from collector.protocol.turns import Turn, render


def with_room(protocol: HttpProtocol, door: Door, most: int) -> HttpProtocol:
    """`protocol` for `most` connections at a time; who comes beyond them is answered and let go at once."""

    def made(*, server_state: ServerState, **rest: Any) -> asyncio.Protocol:
        if len(server_state.connections) >= most:
            return _NoRoom(door)
        return protocol(server_state=server_state, **rest)

    return made


class _NoRoom(asyncio.Protocol):
    """No connection of the server: it neither waits nor is counted."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream
        reply = self._door.refuse(Refusal.OVERLOADED)
        transport.write(render(Turn(None, last=True), reply, b""))
        transport.close()
        self._door.answered(None, reply.status)
