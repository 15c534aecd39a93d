"""What `uvicorn collector.app:app` serves: the collector, opened when the server starts and closed when it ends."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from base.admin import admin_beside, beside
from base.errors import StartError
from base.lock import lock_data_dir
from base.settings import load
from collector.service import open_collector
from collector.settings import CollectorRoot


def build_unsupervised(environ: Mapping[str, str]) -> Starlette:
    """Workers of one server share the data directory; of them, the first shows metrics on the admin address."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        settings = load(CollectorRoot, environ)
        with lock_data_dir(settings.data_dir, "collector", shared=True):
            async with open_collector(settings, environ, "collector") as collector, AsyncExitStack() as stack:
                admin = admin_beside(collector.admin(environ), settings.admin, beside(settings.collector.port))
                try:
                    await stack.enter_async_context(admin)
                except StartError as error:
                    collector.logger.info("admin.elsewhere", detail=error.message)
                yield {"collector": collector.app}

    return Starlette(routes=[Mount("/", _hand_on)], lifespan=lifespan)


async def _hand_on(scope: Scope, receive: Receive, send: Send) -> None:
    await scope["state"]["collector"](scope, receive, send)
