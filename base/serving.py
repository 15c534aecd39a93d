"""A listening socket that children may inherit, and a uvicorn that leaves the process's signals alone."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from base.errors import StartError

BACKLOG: Final = 2048
HttpProtocol = Callable[..., asyncio.Protocol]  # called as uvicorn calls its own
KEEP_ALIVE_SECONDS: Final = 75  # past the 60 s after which load balancers drop an idle connection themselves


def listen(host: str, port: int, setting: str) -> socket.socket:
    """StartError names the address, the setting and the way out. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        raise StartError(
            f"can't listen on {host}:{port} ({setting}): {error.strerror or error}",
            "name an address of this machine" if elsewhere else "stop what holds it, or choose another port",
        ) from error
    return listening


def url_of(host: str, port: int) -> str:
    """As somebody on this machine writes it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


class Server(uvicorn.Server):
    """`drain_seconds`: how long those who have asked are still answered. `ready` is called once it serves. `http`: who
    speaks HTTP, in place of uvicorn's own. `certificate`: of HTTPS, with its key in the same file."""

    def __init__(
        self,
        app: ASGIApp,
        drain_seconds: float,
        ready: Callable[[], None] = lambda: None,
        http: HttpProtocol | None = None,
        certificate: Path | None = None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=http or "httptools",  # type: ignore[arg-type]  # a class is only ever called
            ws="none",
            lifespan="off",
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(drain_seconds)),
            backlog=BACKLOG,
            ssl_certfile=certificate,
        )
        super().__init__(config)
        self._ready = ready

    async def serve_until(self, ending: asyncio.Event, listening: socket.socket) -> None:
        """Then nobody new is let in, and it returns when the last is answered or the drain has run out."""
        serving = asyncio.ensure_future(self.serve(sockets=[listening]))
        waiting = asyncio.ensure_future(ending.wait())
        try:
            await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self.should_exit = True
            await serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn tells whom it knows; who was being let in as the door closed is told here."""
        telling = asyncio.create_task(self._tell_newcomers(set(self.server_state.connections)))
        try:
            await super().shutdown(sockets)
        finally:
            telling.cancel()

    async def _tell_newcomers(self, told: set[Any]) -> None:
        while True:
            await asyncio.sleep(0.05)
            for connection in self.server_state.connections - told:
                told.add(connection)
                connection.shutdown()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would put its own handlers in place of ours, and raise what it caught again at its end."""
        yield
