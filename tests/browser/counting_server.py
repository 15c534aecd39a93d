"""A real HTTP server that counts: pages and the script on one side, the collector's web calls on the other.

It keeps every request before it answers, so what a test finds missing was never sent, and it can be told to answer
badly, late or not at all.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl

from collector.door.shim import EXTRAS, hashed_path

STATIC = Path(__file__).parents[2] / "static"
ALIAS = "/assets/shop.js"
BATCH = "/jsapi/batch"
BUILT = (STATIC / "omnichannel.min.js").read_bytes()
BUILT_EXTRAS = (STATIC / "omnichannel-extras.min.js").read_bytes()
SCRIPTS = {
    **dict.fromkeys(("/jsapi/omnichannel.js", hashed_path(BUILT), ALIAS), "omnichannel.min.js"),
    "/jsapi/omnichannel.src.js": "omnichannel.js",
    **dict.fromkeys(("/jsapi/omnichannel-extras.js", hashed_path(BUILT_EXTRAS, EXTRAS)), "omnichannel-extras.min.js"),
}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Fault:
    """`drop` closes the connection after the request was read; `delay` is in seconds, and ends when the server recovers."""

    path: str
    status: int = 200
    delay: float = 0
    drop: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """Of a batch each event is one, of the path it would have had by itself."""

    method: str
    path: str
    headers: dict[str, str]
    fields: dict[str, str]
    status: int  # 0 when the connection was dropped
    request: int  # which one: the calls of a batch came in the same
    at: float  # when it was taken, before any answer: seconds since 1970, as the page's clock has it


Calls = Sequence[tuple[str, dict[str, str]]]  # path, fields


class CountingServer:
    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.calls: list[Call] = []
        self._requests = itertools.count()
        self._faults: list[Fault] = []
        self._changed = threading.Condition()
        self._recovered = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.origin = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fail(  # each of Fault's fields, said where it is needed
        self,
        path: str,
        *,
        times: int = 1,
        status: int = 200,
        delay: float = 0,
        drop: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        """The next `times` calls of `path` meet this fault."""
        with self._changed:
            self._faults += [Fault(path, status, delay, drop, headers or {})] * times

    def recover(self) -> None:
        with self._changed:
            self._faults.clear()
            self._recovered.set()
            self._recovered = threading.Event()

    def taken(self, path: str) -> list[dict[str, str]]:
        """The forms of `path` that were answered 2xx, in order of arrival."""
        with self._changed:
            return [call.fields for call in self.calls if call.path == f"/jsapi/{path}" and call.status // 100 == 2]

    def wait(self, reached: Callable[[], object], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not reached():
                if not self._changed.wait(deadline - time.monotonic()):
                    seen = [(call.method, call.path, call.status) for call in self.calls]
                    raise AssertionError(f"not reached within {seconds} s; seen: {seen}")

    def wait_taken(self, path: str, count: int, seconds: float = 30) -> list[dict[str, str]]:
        self.wait(lambda: len(self.taken(path)) >= count, seconds)
        return self.taken(path)

    def posts(self) -> int:
        """How many requests of the script came, whatever became of them."""
        with self._changed:
            return len({call.request for call in self.calls if call.method == "POST"})

    def note(self, method: str, headers: dict[str, str], status: int, calls: Calls) -> None:
        request, at = next(self._requests), time.time()
        with self._changed:
            self.calls += [Call(method, path, headers, fields, status, request, at) for path, fields in calls]
            self._changed.notify_all()

    def meet(self, paths: Sequence[str]) -> Fault:
        """The fault that is meant for a request with these calls, once its delay is over."""
        with self._changed:
            fault = next((fault for fault in self._faults if f"/jsapi/{fault.path}" in paths), Fault(""))
            if fault in self._faults:
                self._faults.remove(fault)
            recovered = self._recovered
        recovered.wait(fault.delay)
        return fault


class _Server(ThreadingHTTPServer):
    owner: CountingServer
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Browsers hang up as they like, above all in these tests."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: in two, the kernels on both ends wait 40 ms for each other

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.owner.note("GET", dict(self.headers), 200, [(path, {})])
        if (page := self.server.owner.pages.get(path)) is not None:
            return self._answer(200, TYPES.get(Path(path).suffix, "text/html"), page.encode())
        name = {**SCRIPTS, "/demo/": "demo/index.html"}.get(path, path.lstrip("/"))
        file = STATIC / name
        if not file.is_file():
            return self._answer(404, "text/plain", b"")
        return self._answer(200, TYPES[file.suffix], file.read_bytes())

    def do_OPTIONS(self) -> None:
        self.server.owner.note("OPTIONS", dict(self.headers), 204, [(self.path, {})])
        self._answer(204, "text/plain", b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        calls = _calls(self.path, body)
        fault = self.server.owner.meet([path for path, _ in calls])
        self.server.owner.note("POST", dict(self.headers), 0 if fault.drop else fault.status, calls)
        if fault.drop:
            self.close_connection = True
        elif fault.status == 200:
            replies = [_reply(path, fields) for path, fields in calls]
            answer = replies[0] if self.path != BATCH else {"status": "ok", "results": replies}
            self._answer(200, "application/json", json.dumps(answer).encode())
        else:
            refusal = {"status": "error", "success": False, "message": f"told to answer {fault.status}"}
            self._answer(fault.status, "application/json", json.dumps(refusal).encode(), fault.headers)

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After, X-Event-Status"}
        for name, value in {**cors, **(headers or {}), "Content-Type": kind, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """The tests read `calls`."""


def _calls(path: str, body: str) -> Calls:
    """Of a batch as the collector reads it: what names no visitor is of the one whom the init before it is answered."""
    if path != BATCH:
        return [(path, dict(parse_qsl(body, keep_blank_values=True)))]
    batch, visitor, calls = json.loads(body), "", []
    for event in batch["events"]:
        fields = {"appkey": batch["appkey"], **dict(parse_qsl(event["form"], keep_blank_values=True))}
        if event["call"] == "init":
            reply = _reply("/jsapi/init", fields)
            visitor = str(reply.get("uid", reply.get("pid")))
        elif visitor:
            fields.setdefault("uid", visitor)
        calls.append((f"/jsapi/{event['call']}", fields))
    return calls


def _reply(path: str, fields: dict[str, str]) -> dict[str, object]:
    """As contracts.md says, section 1: an e-mail is answered by a uid, an earlier pid comes back."""
    if path == "/jsapi/init":
        if "email" in fields:
            return {"status": "ok", "success": True, "uid": "c" * 64}
        return {"status": "ok", "success": True, "pid": fields.get("pid", "a" * 64)}
    return {"status": "ok", "message": "stored"} if path == "/jsapi/register" else {"status": "accepted"}
