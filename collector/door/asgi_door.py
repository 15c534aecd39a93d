"""The door as an ASGI application: a request becomes an Arrival, what the intake answers becomes a response."""

import asyncio

from starlette.types import Receive, Scope, Send

from base.reasons import Refusal
from collector.arrival import Reply
from collector.door.body import Incoming
from collector.door.door import Door, Head, announces_too_much, headers_of, lift
from collector.door.pass_through import PassThrough
from collector.errors import BodyTooLarge, ClientGone
from collector.limits import REFUSED


class AsgiDoor:
    """`ads`: who answers ad-serving calls, if anybody does."""

    def __init__(self, door: Door, ads: PassThrough | None = None) -> None:
        self._door = door
        self._ads = ads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        incoming, head = Incoming(receive), self._head(scope)
        try:
            reply = await self._reply(head, incoming)
        except ClientGone:
            self._door.gone()
            return
        except asyncio.CancelledError:
            # The drain has run out. The event may yet become durable: told to come again it is a duplicate, not a loss.
            reply, incoming.ended = self._door.refuse(Refusal.DRAINING), True
        self._door.answered(head, reply.status)
        await write_reply(reply, send, incoming)

    def _head(self, scope: Scope) -> Head:
        peer = scope["client"][0] if scope.get("client") else ""
        query, headers = scope["query_string"].decode("latin-1"), lift(scope["headers"])
        return self._door.enter(scope["method"], scope["path"], query, headers, peer=peer, scheme=scope["scheme"])

    async def _reply(self, head: Head, incoming: Incoming) -> Reply:
        if announces_too_much(head):
            return self._door.refuse(REFUSED["body_bytes"])
        try:
            async with asyncio.timeout(self._door.limits.body_seconds):
                body = await incoming.read(head.limit)
        except BodyTooLarge:
            return self._door.refuse(REFUSED["body_bytes"])
        except TimeoutError:
            return self._door.refuse(REFUSED["body_seconds"])
        if self._ads is not None and self._ads.takes(head.method, head.path):
            return await self._ads.answer(self._door.arrival(head, body))
        return await self._taken(head, body)

    async def _taken(self, head: Head, body: bytes) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def respond(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self._door.take(head, body, respond)
        return await answer


async def write_reply(reply: Reply, send: Send, incoming: Incoming) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers_of(reply)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    lingers = reply.close and not incoming.ended
    await send({"type": "http.response.body", "body": reply.body, "more_body": lingers})
    if lingers:
        await incoming.linger()
        await send({"type": "http.response.body", "body": b""})
