"""The way through ASGI: uvicorn's RequestResponseCycle, given a request that is whole.

What this package borrows of uvicorn is no public interface: tests/collector/test_borrowed.py says when it moves.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from collector.protocol.reading import Request


def make_cycle(
    request: Request,
    *,
    state: dict[str, Any],
    transport: asyncio.Transport,
    flow: FlowControl,
    default_headers: list[tuple[bytes, bytes]],
    ended: Callable[[], None],
) -> RequestResponseCycle:
    """`run_asgi` it when its turn comes; `ended` is called when it has written all. `state`: the application's."""
    logger = logging.getLogger("uvicorn.error")
    whole = asyncio.Event()
    whole.set()
    cycle = RequestResponseCycle(
        scope=_scope(request, state, transport),  # type: ignore[arg-type]
        transport=transport,
        flow=flow,
        logger=logger,
        access_logger=logger,
        access_log=False,
        default_headers=default_headers,
        message_event=whole,
        expect_100_continue=False,
        keep_alive=True,
        on_response=ended,
    )
    cycle.body += request.body
    cycle.more_body = False
    return cycle


def disconnect(cycle: RequestResponseCycle) -> None:
    cycle.disconnected = True
    cycle.message_event.set()


def _scope(request: Request, state: dict[str, Any], transport: asyncio.Transport) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "scheme": request.head.scheme,
        "root_path": "",
        "headers": request.headers,
        "state": state.copy(),
        "method": request.head.method,
        "path": request.head.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
    }
