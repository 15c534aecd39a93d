"""What collector/protocol/ borrows of uvicorn, which promises none of it. Red here: a new uvicorn has moved it.

Then compare collector/protocol/ with uvicorn's protocols/http/httptools_impl.py and server.py before the pin is raised.
"""

import inspect
from importlib.metadata import version
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

MOVED = "uvicorn has moved what collector/protocol/ borrows; see this test's docstring"
CYCLE = (
    "scope transport flow logger access_logger access_log default_headers message_event expect_100_continue keep_alive"
    " on_response"
)


def parameters(called: object) -> str:
    assert callable(called)
    return " ".join(name for name in inspect.signature(called).parameters if name != "self")


def test_the_version_is_the_one_that_was_read() -> None:
    pinned = (Path(__file__).parents[2] / "constraints.txt").read_text()
    assert f"uvicorn=={version('uvicorn')}\n" in pinned, MOVED
    assert version("uvicorn") == "0.54.0", MOVED


def test_the_cycle() -> None:
    assert parameters(RequestResponseCycle) == CYCLE, MOVED
    source = inspect.getsource(RequestResponseCycle)
    names = ("body", "more_body", "disconnected", "message_event", "keep_alive", "response_complete")
    assert all(f"self.{name}" in source for name in names), MOVED
    assert parameters(RequestResponseCycle.run_asgi) == "app", MOVED


def test_what_stands_around_it() -> None:
    assert parameters(FlowControl) == "transport", MOVED
    assert all(hasattr(FlowControl, name) for name in ("pause_writing", "resume_writing", "drain")), MOVED
    assert FlowControl(None).write_paused is False, MOVED  # type: ignore[arg-type]
    assert [parameters(each) for each in (get_local_addr, get_remote_addr, is_ssl)] == ["transport"] * 3, MOVED
    assert STATUS_LINE[431] == b"HTTP/1.1 431 Request Header Fields Too Large\r\n", MOVED
    state = vars(ServerState())
    assert state.keys() >= {"total_requests", "connections", "tasks", "default_headers"}, MOVED


def test_how_the_server_calls_a_protocol() -> None:
    assert parameters(HttpToolsProtocol) == "config server_state app_state _loop", MOVED
    assert "connection.shutdown()" in inspect.getsource(uvicorn.Server.shutdown), MOVED
    assert "self.server_state.tasks" in inspect.getsource(uvicorn.Server.shutdown), MOVED
    config = uvicorn.Config("x:y", timeout_graceful_shutdown=3, timeout_keep_alive=4)
    assert (config.timeout_graceful_shutdown, config.timeout_keep_alive) == (3, 4), MOVED
