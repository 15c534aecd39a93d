"""What is done to the product from outside in faults.md's rows 13 to 16, and what of it went wrong."""

import gzip
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from loadtests import crowd
from loadtests.machine import resident_mb
from tests.support.oracle import Load, Oracle, reconcile
from tests.support.product import OCHN, Product
from tests.system.outside import FORM, request

RATE: Final = 200.0  # events a second of live traffic
JSON: Final = "application/json"


@dataclass(frozen=True)
class Siege:
    """Counts (`events`: of good traffic beside it), megabytes, times in seconds. `header`, `body`: until a slow one is closed."""

    events: int
    slow: int
    header: float
    body: float
    idle: int
    megabytes: float
    malformed: int
    patience: float

    def environ(self) -> dict[str, str]:
        told = {"HEADER_SECONDS": self.header, "BODY_SECONDS": self.body}
        return {f"OCHN_COLLECTOR__LIMITS__{name}": str(value) for name, value in told.items()}


FULL: Final = Siege(events=6000, slow=2000, header=10, body=30, idle=10_000, megabytes=80, malformed=10_000, patience=3)
SHORT: Final = Siege(events=300, slow=240, header=2, body=3, idle=1000, megabytes=30, malformed=900, patience=30)


@dataclass(frozen=True)
class Field:
    """A product under siege, and all that was said to it."""

    product: Product
    siege: Siege
    oracle: Oracle
    seeds: Iterator[int]

    @contextmanager
    def living(self, complaints: list[str]) -> Iterator[None]:
        """Good traffic meanwhile: all of it must be answered 200, and arrive."""
        load = Load(self.product.url, self.oracle, self.siege.events, RATE, next(self.seeds))
        driving = threading.Thread(target=load.run)
        driving.start()
        yield
        driving.join(120)
        if unanswered := self.oracle.issued - self.oracle.acknowledged:
            complaints.append(f"{len(unanswered)} good events were not answered 200")
        verdicts = reconcile(self.product, self.oracle, 60.0)
        complaints.extend(f"{verdict}" for verdict in verdicts if not verdict.clean)


@contextmanager
def besieged(folder: Path, siege: Siege, environ: Mapping[str, str], command: Sequence[str] = OCHN) -> Iterator[Field]:
    with Product(folder / "data", environ={**siege.environ(), **environ}, command=command) as product:
        yield Field(product, siege, Oracle(folder / "oracle"), count(1))


def slow(field: Field) -> list[str]:
    """Row 13."""
    complaints: list[str] = []
    siege = field.siege
    limits = {"headers": siege.header, "again": siege.header, "body": siege.body}
    with ExitStack() as stack:
        stack.enter_context(field.living(complaints))
        driven = [
            stack.enter_context(crowd.started(field.product.port, siege.slow // 3, kind, limit + siege.patience))
            for kind, limit in limits.items()
        ]
        seen = [crowd.seen(driver) for driver in driven]
    left = [(one.kind, one.opened - one.closed, one.opened) for one in seen if one.closed < one.opened]
    return [*complaints, *(f"slow in {kind}: {open_} of {all_} were left open" for kind, open_, all_ in left)]


def idle(field: Field) -> list[str]:
    """Row 14."""
    complaints: list[str] = []
    siege, worker = field.siege, field.product.pids()["collector-0"]
    with field.living(complaints):
        pass
    before = resident_mb(worker, peak=True)
    with (
        field.living(complaints),
        crowd.started(field.product.port, siege.idle, "idle", 2.0 + siege.idle / 500) as driver,
    ):
        seen = crowd.seen(driver)
        after = resident_mb(worker, peak=True)
    if seen.closed:
        complaints.append(f"{seen.closed} of {seen.opened} idle connections were closed")
    if after - before > siege.megabytes:
        complaints.append(f"{seen.opened} idle connections took {after - before:.0f} MB")
    return complaints


HEAD: Final = b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
VISIT: Final = b"appkey=demo&uid=p-large&uType=p&requestType=action&actionType=visit&aditionalData[brands][0]="
TOO_LARGE: Final = {
    "a body that is announced": (HEAD + b"Content-Length: 10000000\r\n\r\n" + VISIT + b"a" * (10_000_000 - len(VISIT)), 413),
    "a body in chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join([b"%x\r\n%b\r\n" % (len(VISIT), VISIT), b"10000\r\n%b\r\n" % (b"a" * 65536) * 152, b"0\r\n\r\n"]),
        413,
    ),
    "a header": (HEAD + b"X-Large: " + b"a" * 1_000_000 + b"\r\nContent-Length: %d\r\n\r\n%b" % (len(VISIT), VISIT), 431),
    "a URL": (HEAD.replace(b"send", b"send?" + b"a" * 65_536) + b"Content-Length: %d\r\n\r\n%b" % (len(VISIT), VISIT), 414),
}  # fmt: skip


def too_large(field: Field) -> list[str]:
    """Row 15."""
    before, complaints = stored(field.product), list[str]()
    for name, (raw, status) in TOO_LARGE.items():
        answer, closed = whole_answer(field.product.port, raw, field.siege.patience)
        if not (answer.startswith(b"HTTP/1.1 %d " % status) and b"connection: close" in answer.lower() and closed):
            complaints.append(f"{name}: {answer[:60]!r}, closed: {closed}")
    if (more := stored(field.product)) != before:
        complaints.append(f"stored: {more - before:.0f}")
    return complaints


def whole_answer(port: int, raw: bytes, patience: float) -> tuple[bytes, bool]:
    """What comes until the other side closes (True) or says nothing more for `patience` seconds."""
    with socket.create_connection(("127.0.0.1", port), patience) as connection:
        told = b""
        try:
            connection.sendall(raw)
            while piece := connection.recv(65_536):
                told += piece
        except TimeoutError:
            return told, False
        except ConnectionError:
            return told, True
        return told, True


def stored(product: Product) -> float:
    """Records in events and quarantine, as the collector has counted them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{product.admin_port}/metrics", timeout=30) as answer:
        lines = re.findall(
            r"^ochn_log_appended_total\{.*(?:events|quarantine)\"\} (\S+)$", answer.read().decode(), re.MULTILINE
        )
    return sum(map(float, lines))


def send(additional: str, action: str = "visit") -> bytes:
    return f"appkey=demo&uid=p-bad&uType=p&requestType=action&actionType={action}&{additional}".encode()


def json_visit(members: bytes) -> bytes:
    return b'{"appkey":"demo","uid":"p-bad","requestType":"action","actionType":"visit",%b}' % members


# Body, headers, and what it gets: a reason of the quarantine, or of the refusal.
MALFORMED: Final[tuple[tuple[bytes, Mapping[str, str], str], ...]] = (
    (send("aditionalData[rating]=11", "feedback"), {"content_type": FORM}, "rating_out_of_range"),
    (send("", "dance"), {"content_type": FORM}, "unknown_action_type"),
    (send("aditionalData[a]=%FF"), {"content_type": FORM}, "bad_text"),
    (send("a[b][c][d][e][f][g]=1"), {"content_type": FORM}, "too_deep"),
    (send("&".join(f"a{n}=1" for n in range(1001))), {"content_type": FORM}, "too_many_fields"),
    (send("a[100]=1"), {"content_type": FORM}, "too_many_fields"),
    (json_visit(b'"a":NaN'), {"content_type": JSON}, "bad_number"),
    (json_visit(b'"a":"\\ud800"'), {"content_type": JSON}, "bad_text"),
    (json_visit(b'"a":' + b"[" * 40 + b"]" * 40), {"content_type": JSON}, "too_deep"),
    (json_visit(b'"a":1e999'), {"content_type": JSON}, "bad_number"),
    (json_visit(b'"a":')[:-1], {"content_type": JSON}, "unreadable_body"),
    (b"\xff\xfe\x00[[[", {"content_type": JSON}, "unreadable_body"),
    (gzip.compress(send("a=1"))[:-9], {"content_type": FORM, "content_encoding": "gzip"}, "unreadable_body"),
    (send("a=1"), {"content_type": "multipart/form-data; boundary=x"}, "unreadable_body"),
    (b"<event/>", {"content_type": "application/xml"}, "unsupported_media"),
)


def malformed(field: Field) -> list[str]:
    """Row 16."""
    complaints: list[str] = []
    with field.living(complaints):
        for number in range(field.siege.malformed):
            body, headers, reason = MALFORMED[number % len(MALFORMED)]
            answer = request(field.product.port, "POST", "/jsapi/send", body, **headers)
            said = answer.headers.get("x-event-status", "") if answer.status == 200 else answer.body.decode()
            if answer.status >= 500 or reason not in said:
                complaints.append(f"{body[:60]!r}: {answer.status} {said[:100]}, not {reason}")
    return complaints
