"""Who may ask the admin address: everybody on this machine's loopback, or who says the token."""

import hmac
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.settings import AdminSettings

_OPEN: Final = "/health/live"  # what a container's own check asks, and nothing is told there
_REFUSED: Final = {"status": "error", "reason": "unauthorized", "message": "Send Authorization: Bearer <admin.token>."}


def guarded(app: ASGIApp, settings: AdminSettings) -> ASGIApp:
    """Answers 401 without the token, where one is set; nothing that is answered is kept by a cache."""
    expected = None if settings.token is None else f"Bearer {settings.token.get_secret_value()}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_plainly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["cache-control"], headers["x-content-type-options"] = "no-store", "nosniff"
            await send(message)

        if scope["type"] == "http" and expected is not None and scope["path"] != _OPEN:
            said = Headers(scope=scope).get("authorization", "").encode("latin-1")
            if not hmac.compare_digest(said, expected):
                refused = JSONResponse(_REFUSED, 401, {"www-authenticate": "Bearer"})
                await refused(scope, receive, send_plainly)
                return
        await app(scope, receive, send_plainly)

    return guard
