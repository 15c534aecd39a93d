"""How an answer leaves: well, late, byte by byte, or as a broken connection."""

import socket
import struct
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from base.clock import Clock
from forwarder.sandbox.faults import Fault
from forwarder.sandbox.vendor import Answer

_TRANSPORT: Final = "sandbox.transport"  # ASGI has no word for hanging up on somebody
_MIB: Final = 1024 * 1024
_HUGE: Final = 64 * _MIB
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


class BreakableProtocol(HttpToolsProtocol):
    """uvicorn's own, but the app may reach the connection to break it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


@dataclass(frozen=True, slots=True)
class Caller:
    """The ASGI call, as the one who waits at its other end."""

    scope: Scope
    receive: Receive
    send: Send


async def deliver(answer: Answer, fault: Fault | None, caller: Caller, clock: Clock) -> None:
    kind = "" if fault is None else fault.fault
    delay = None if fault is None else fault.delay
    if kind == "hang" and delay is None:
        await _until_gone(caller.receive)
    elif answer.status == 0:
        await clock.sleep(delay or 0.0)
        _break(caller.scope, reset=kind != "refuse")
        await _until_gone(caller.receive)
    elif kind == "huge":
        await _huge(answer, caller.send)
    elif kind == "drip":
        await _drip(answer, caller.send, 1.0 if delay is None else delay, clock)
    else:
        if kind == "slow":
            await clock.sleep(5.0 if delay is None else delay)
        await caller.send(_start(answer))
        await caller.send({"type": "http.response.body", "body": answer.body})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drip(answer: Answer, send: Send, delay: float, clock: Clock) -> None:
    await send(_start(answer))
    for byte in answer.body:
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await clock.sleep(delay)
    await send({"type": "http.response.body"})


async def _huge(answer: Answer, send: Send) -> None:
    """JSON still: who reads it all finds the answer."""
    await send(_start(answer, before=_HUGE))
    for _ in range(_HUGE // _MIB):
        await send({"type": "http.response.body", "body": b" " * _MIB, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body})


def _start(answer: Answer, before: int = 0) -> Message:
    headers: dict[str, Any] = {"content-type": "application/json", **answer.headers}
    headers["content-length"] = str(before + len(answer.body))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": encoded}


def _break(scope: Scope, *, reset: bool) -> None:
    transport = scope["extensions"][_TRANSPORT]["transport"]
    if transport.is_closing():
        return  # its caller was quicker
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()
