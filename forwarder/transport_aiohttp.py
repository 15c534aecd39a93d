"""Calls by aiohttp: where each event is a call of its own, so that a call must cost little."""

from typing import Final

import aiohttp
from yarl import URL

from forwarder.errors import ReplyTooLarge
from forwarder.transport import IDLE_SECONDS, REPLY_LIMIT, Reply, Request, within

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=None)  # the deadline is ours


class AiohttpTransport:
    """Made on the running loop."""

    def __init__(self, connections: int, reply_limit: int = REPLY_LIMIT) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=IDLE_SECONDS),
            timeout=_NO_TIMEOUT,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._reply_limit = reply_limit

    async def send(self, request: Request, deadline: float) -> Reply:
        return await within(deadline, self._send(request))

    async def _send(self, request: Request) -> Reply:
        sending = self._session.request(
            request.method,
            URL(request.url, encoded=True),  # as the destination spelled it
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
        )
        async with sending as reply:
            body = bytearray()
            async for piece in reply.content.iter_any():
                body += piece
                if len(body) > self._reply_limit:
                    reply.close()
                    raise ReplyTooLarge(f"a reply of more than {self._reply_limit} bytes (status {reply.status})")
        return Reply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, bytes(body))

    async def close(self) -> None:
        await self._session.close()
