"""A listening socket that children may inherit, and a uvicorn that leaves the process's signals alone."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from base.errors import StartError

BACKLOG: Final = 2048
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
        raise StartError(
            f"can't listen on {host}:{port} ({setting}): {error.strerror or error}",
            "stop what holds it, or choose another",
        ) from error
    return listening


class Server(uvicorn.Server):
    """Serves until `should_exit`, then for `drain_seconds` those who have asked; who runs it handles the signals."""

    def __init__(self, app: ASGIApp, drain_seconds: float, **config: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                server_header=False,
                log_config=None,
                log_level="error",
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
                backlog=BACKLOG,
                **config,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would raise them again at its end, before our own: the log would not be closed."""
        yield
