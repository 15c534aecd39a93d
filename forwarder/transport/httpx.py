"""Calls by httpx: where one call carries many events, so that its own cost does not count."""

import httpx

from forwarder.errors import ReplyTooLarge
from forwarder.transport import IDLE_SECONDS, REPLY_LIMIT, Reply, Request, within


class HttpxTransport:
    def __init__(self, connections: int, reply_limit: int = REPLY_LIMIT) -> None:
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_SECONDS
        )
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits, timeout=None)  # noqa: S113 - the deadline is ours
        self._reply_limit = reply_limit

    async def send(self, request: Request, deadline: float) -> Reply:
        return await within(deadline, self._send(request))

    async def _send(self, request: Request) -> Reply:
        outgoing = self._client.build_request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        reply = await self._client.send(outgoing, stream=True)
        try:
            body = bytearray()
            async for piece in reply.aiter_bytes():
                body += piece
                if len(body) > self._reply_limit:
                    raise ReplyTooLarge(f"a reply of more than {self._reply_limit} bytes (status {reply.status_code})")
        finally:
            await reply.aclose()
        return Reply(reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, bytes(body))

    async def close(self) -> None:
        await self._client.aclose()
