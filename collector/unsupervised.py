"""What `uvicorn collector.app:app` serves: the collector, opened when the server starts and closed when it ends."""

import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from base.admin import admin_beside, beside
from base.errors import StartError, UserError
from base.lock import lock_data_dir
from base.settings import load
from collector.service import Collector, open_collector
from collector.settings import CollectorRoot


def build_unsupervised(environ: Mapping[str, str]) -> ASGIApp:
    """Workers of one server share the data directory; of them, the first shows metrics on the admin address."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(environ, scope["state"], receive, send)
        else:
            await scope["state"]["collector"](scope, receive, send)

    return app


async def _live(environ: Mapping[str, str], state: dict[str, Any], receive: Receive, send: Send) -> None:
    """The server prints why it could not start: a plain sentence for what a person can mend."""
    await receive()
    async with AsyncExitStack() as stack:
        try:
            collector = await stack.enter_async_context(_opened(environ))
        except Exception as error:
            message = str(error) if isinstance(error, UserError) else traceback.format_exc()
            await send({"type": "lifespan.startup.failed", "message": message})
            raise
        state["collector"] = collector.app
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _opened(environ: Mapping[str, str]) -> AsyncIterator[Collector]:
    settings = load(CollectorRoot, environ)
    with lock_data_dir(settings.data_dir, "collector", shared=True):
        async with open_collector(settings, environ, "collector") as collector, AsyncExitStack() as stack:
            admin = admin_beside(collector.admin(environ), settings.admin, beside(settings.collector.port))
            try:
                await stack.enter_async_context(admin)
            except StartError as error:
                collector.logger.info("admin.elsewhere", detail=error.message)
            yield collector
