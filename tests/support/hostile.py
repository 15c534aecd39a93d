"""Hostile requests, and what each gets: the tables of docs/security.md (`python -m tests.support.hostile` rewrites them)."""

import asyncio
import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from collector.limits import HELD_BACK, REFUSED
from collector.settings import LimitSettings
from tests.collector.pipe import Piped, parts, piped
from tests.support.house import ROOT

PAGE: Final = ROOT / "docs" / "security.md"
VISIT: Final = b"appkey=demo&uid=v&requestType=action&actionType=visit"
SEND: Final = b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\n"
_SEGMENT: Final = 65_536
FORM: Final = b"application/x-www-form-urlencoded"


def post(body: bytes, path: bytes = b"/jsapi/send", kind: bytes = FORM, *more: bytes) -> bytes:
    head = [b"POST %b HTTP/1.1" % path, b"Host: x", b"Content-Type: %b" % kind, *more]
    return b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])


def as_json(members: bytes, path: bytes = b"/jsapi/send") -> bytes:
    body = b'{"appkey":"demo","uid":"v","requestType":"action","actionType":"visit",%b}' % members
    return post(body, path, b"application/json")


def zipped(body: bytes) -> bytes:
    return post(gzip.compress(body, mtime=0), b"/jsapi/send", FORM, b"Content-Encoding: gzip")


@dataclass(frozen=True)
class Hostile:
    """`limits` in place of the defaults, where the default would take long or much."""

    raw: bytes
    limits: Mapping[str, float] = field(default_factory=dict)
    waits: bool = False  # until a deadline has passed
    beside: bool = False  # another connection that asks the same at the same moment


@dataclass(frozen=True)
class Outcome:
    status: int
    verdict: str  # the refusal's reason, or the event's status
    closed: bool
    stored: int


LIMITS: Final[Mapping[str, Hostile]] = {
    "url_bytes": Hostile(b"POST /jsapi/send?%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 65_536)),
    "header_bytes": Hostile(SEND + b"Cookie: " + b"x" * 1_000_000),
    "header_fields": Hostile(SEND + b"X: y\r\n" * 64 + b"\r\n"),
    "header_seconds": Hostile(SEND, {"header_seconds": 0.05}, waits=True),
    "body_bytes": Hostile(SEND + b"Content-Length: 10000000\r\n\r\n"),
    "batch_body_bytes": Hostile(SEND.replace(b"send", b"batch") + b"Content-Length: 10000000\r\n\r\n"),
    "lead_body_bytes": Hostile(SEND.replace(b"send", b"register") + b"Content-Length: 10000000\r\n\r\n"),
    "body_seconds": Hostile(SEND + b"Content-Length: 5\r\n\r\na=", {"body_seconds": 0.05}, waits=True),
    "arriving_bytes": Hostile(SEND + b"Content-Length: 900\r\n\r\n" + b"a" * 800, {"arriving_bytes": 500}),
    "gunzipped_bytes": Hostile(zipped(VISIT + b"&a=" + bytes(range(256)) * 12_000)),
    "gunzip_ratio": Hostile(zipped(VISIT + b"&a=" + b"a" * 2_000_000)),
    "form_pairs": Hostile(post(VISIT + b"&a=1" * 1000)),
    "form_key_bytes": Hostile(post(VISIT + b"&" + b"a" * 257 + b"=1")),
    "form_value_bytes": Hostile(post(VISIT + b"&a=" + b"a" * 16_385)),
    "form_levels": Hostile(post(VISIT + b"&a" + b"[b]" * 6 + b"=1")),
    "form_index": Hostile(post(VISIT + b"&a[100]=1")),
    "json_depth": Hostile(as_json(b'"a":' + b"[" * 32 + b"]" * 32)),
    "json_containers": Hostile(as_json(b'"a":[' + b"{}," * 5000 + b"{}]")),
    "json_members": Hostile(as_json(b",".join(b'"%d":1' % n for n in range(10_001)))),
    "sensors": Hostile(post(b'{"appkey":"demo","mid":"v","sensors":[%b{}]}' % (b"{}," * 100), b"/mobileapi/sensors", b"text/plain")),
    "batch_events": Hostile(post(b'{"appkey":"demo","events":[%b{}]}' % (b"{}," * 500), b"/jsapi/batch", b"text/plain")),
    "in_flight_requests": Hostile(post(VISIT), {"in_flight_requests": 1}, beside=True),
    "in_flight_bytes": Hostile(post(VISIT), {"in_flight_bytes": 60}, beside=True),
}  # fmt: skip

HOSTILE: Final[Mapping[str, Mapping[str, bytes]]] = {
    "What two servers could read differently": {
        "two lengths": SEND + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\na=1",
        "the same length twice": SEND + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\na=1",
        "a length, then chunks": SEND + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunks, then a length": SEND + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "a length of `+2`": SEND + b"Content-Length: +2\r\n\r\na=",
        "a length of `-1`": SEND + b"Content-Length: -1\r\n\r\n",
        "a length of `0x3`": SEND + b"Content-Length: 0x3\r\n\r\na=1",
        "`Transfer-Encoding: xchunked`": SEND + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "`Transfer-Encoding: chunked, identity`": SEND + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "the same coding twice": SEND + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a coding behind a control character": SEND + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "chunks under HTTP/1.0": SEND.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n",
        "a length of `3, 3`": SEND + b"Content-Length: 3, 3\r\n\r\na=1",
        "a length of 2^64": SEND + b"Content-Length: 18446744073709551616\r\n\r\n",
        "a bare LF behind the request line": b"POST /jsapi/send HTTP/1.1\nHost: x\r\n\r\n",
        "a bare LF between headers": b"POST /jsapi/send HTTP/1.1\r\nHost: x\nContent-Length: 3\r\n\r\na=1",
        "a bare CR in a header": SEND + b"X: a\rContent-Length: 3\r\n\r\n",
        "a space before the colon": SEND + b"Content-Length : 3\r\n\r\na=1",
        "a folded header": SEND + b"X: a\r\n b\r\n\r\n",
        "NUL in a header": SEND + b"X: a\0b\r\n\r\n",
        "a chunk's size of `3 ;x`": SEND + b"Transfer-Encoding: chunked\r\n\r\n3 ;x\r\na=1\r\n0\r\n\r\n",
        "a chunk's size of `0x3`": SEND + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\na=1\r\n0\r\n\r\n",
        "a chunk's size of 68 bits": SEND + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        "a chunk's size that ends with a bare LF": SEND + b"Transfer-Encoding: chunked\r\n\r\n3\na=1\r\n0\r\n\r\n",
        "a chunk that goes on behind its size": SEND + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1xx0\r\n\r\n",
        "a length among the trailers": SEND + b"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\nContent-Length: 5\r\n\r\n",
        "two hosts (nobody here reads one)": SEND + b"Host: y\r\nContent-Length: 3\r\n\r\na=1",
        "HTTP/1.2": SEND.replace(b"1.1", b"1.2") + b"Content-Length: 3\r\n\r\na=1",
        "a second request in the first one's body": post(b"x=POST /jsapi/init HTTP/1.1\r\n\r\n"),
        "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS at a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "`CONNECT`": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    },
    "Bodies": {
        "a gzip bomb (2 MB from 2 KB)": zipped(VISIT + b"&a=" + b"a" * 2_000_000),
        "a gzip of gzips, each small": post(gzip.compress(b"a" * 90_000) * 40, b"/jsapi/send", FORM, b"Content-Encoding: gzip"),
        "half a gzip": post(gzip.compress(VISIT)[:-8], b"/jsapi/send", FORM, b"Content-Encoding: gzip"),
        "gzip in gzip": post(VISIT, b"/jsapi/send", FORM, b"Content-Encoding: gzip, gzip"),
        "brotli": post(VISIT, b"/jsapi/send", FORM, b"Content-Encoding: br"),
        "a lead of 1 MB of text (an event holds 900 KiB)": post(
            b'{"appkey":"demo","lead":{"userEmail":"a@b.c","note":"%b"}}' % (b"a" * 1_000_000), b"/jsapi/register", b"text/plain"
        ),
        "50,000 names in JSON (hash flooding: Python seeds its hashes)": as_json(b",".join(b'"%d":1' % n for n in range(50_000))),
        "990 names in a form": post(b"&".join([VISIT, *(b"%d=1" % (2**61 * n) for n in range(990))])),
        "deep JSON (600 levels)": as_json(b'"a":' + b'{"a":' * 600 + b"1" + b"}" * 600),
        "JSON of 100,000 brackets": as_json(b'"a":' + b"[" * 100_000),
        "no JSON": post(b'{"appkey":"demo"', b"/jsapi/send", b"application/json"),
        "a list": post(b"[1]", b"/jsapi/send", b"application/json"),
        "an empty body": post(b"", b"/jsapi/send", b"application/json"),
        "a BOM before JSON": post(b"\xef\xbb\xbf" + as_json(b'"a":1').partition(b"\r\n\r\n")[2], b"/jsapi/send", b"application/json"),
        "UTF-16": post(VISIT.decode().encode("utf-16"), b"/jsapi/send", FORM + b"; charset=utf-16"),
        "a charset of quadratic time (`punycode`)": post(VISIT, b"/jsapi/send", FORM + b"; charset=punycode"),
        "XML": post(b"<a/>", b"/jsapi/send", b"application/xml"),
        "multipart without a boundary": post(VISIT, b"/jsapi/send", b"multipart/form-data"),
    },
    "Values": {
        "`1e999`": as_json(b'"a":1e999'),
        "`NaN`": as_json(b'"a":NaN'),
        "2^64": as_json(b'"a":18446744073709551616'),
        "2^63 - 1": as_json(b'"a":9223372036854775807'),
        "a number of 100,000 digits": as_json(b'"a":' + b"9" * 100_000),
        "a lone surrogate (JSON)": as_json(b'"a":"\\ud800"'),
        "a lone surrogate (form)": post(VISIT + b"&a=%ED%A0%80"),
        "bytes that are no UTF-8 (JSON)": as_json(b'"a":"\xff"'),
        "bytes that are no UTF-8 (form)": post(VISIT + b"&a=%FF"),
        "`\\u0000`": as_json(b'"a":"x\\u0000y"'),
        "`%00` in an id": post(VISIT.replace(b"uid=v", b"uid=v%00")),
        "the same name twice": as_json(b'"a":1,"a":2'),
        "`__proto__`": post(VISIT + b"&__proto__[admin]=1&constructor[prototype][a]=1"),
        "an id of 129 characters": post(VISIT.replace(b"uid=v", b"uid=" + b"v" * 129)),
        "an unknown key": post(VISIT.replace(b"demo", b"nobody")),
        "an origin that the key does not list": post(VISIT.replace(b"demo", b"shop"), b"/jsapi/send", FORM, b"Origin: https://evil.example"),
        "a web key at a phone's door": post(b"appkey=shop&mid=v&lat=1&lon=2", b"/mobileapi/geo"),
    },
}  # fmt: skip


async def outcome(hostile: Hostile, *, fast_lane: bool) -> Outcome:
    """Of the request's last answer; a good request behind it, on another connection, must be taken."""
    async with piped(fast_lane=fast_lane, limits=hostile.limits) as made:
        written, closed = await _ask(made, hostile)
        assert written, "no answer"
        status, _, body = parts(re.split(rb"(?=HTTP/1\.1 \d{3} )", written)[-1])
        told = re.search(rb'"reason":"(\w+)"', body) if int(status.split()[1]) != 200 else None
        status_of_event = re.findall(rb"x-event-status: ([^\r]+)", written)
        verdict = told[1] if told else (status_of_event or [b""])[-1]
        stored = len(made.house.events()) + len(made.house.quarantined())
        assert b" 200 OK" in await made.say(post(VISIT)), "a neighbour was harmed"
        return Outcome(int(status.split()[1]), verdict.decode(), closed, stored)


async def _ask(made: Piped, hostile: Hostile) -> tuple[bytes, bool]:
    opened = [made.connect() for _ in range(1 + hostile.beside)]
    for connection, _ in opened:
        for at in range(0, len(hostile.raw), _SEGMENT):
            connection.data_received(hostile.raw[at : at + _SEGMENT])
    connection, pipe = opened[-1]
    async with asyncio.timeout(60):
        while any(each._turns for each, _ in opened) or (hostile.waits and not pipe.written):
            await asyncio.sleep(0.01 if hostile.waits else 0)
    for each, _ in opened:
        each.connection_lost(None)
    await asyncio.gather(*made.state.tasks)
    return pipe.written, b"connection: close" in pipe.written.lower()


def kept(one: Outcome) -> str:
    if not one.stored:
        return "nothing"
    return "quarantine" if one.verdict.startswith("quarantined") else "event"


def tables(ask: Callable[[Hostile], Outcome]) -> Iterator[str]:
    yield "### Limits\n\n| limit | default | beyond | connection |\n|---|---|---|---|"
    for name, one in LIMITS.items():
        got = ask(one)
        default = LimitSettings.model_fields[name].default
        yield f"| `{name}` | {default:,} | {got.status} `{got.verdict}` | {'closed' if got.closed else 'kept'} |"
    for title, cases in HOSTILE.items():
        yield f"\n### {title}\n\n| what comes | answer | kept as |\n|---|---|---|"
        for name, raw in cases.items():
            got = ask(Hostile(raw))
            yield f"| {name} | {got.status} `{got.verdict}`{', closed' if got.closed else ''} | {kept(got)} |"


def page(text: str, made: Iterator[str]) -> str:
    """With the tables in their place, between the heading and the one after it."""
    head, mark, rest = text.partition("## What hostile input gets\n")
    intro, _, _ = rest.partition("### Limits")
    _, end, tail = rest.partition("\n## ")
    return head + mark + intro + "\n".join(made) + "\n" + (end + tail if end else "")


def expected(limit: str) -> str:
    if limit in REFUSED:
        return str(REFUSED[limit])
    return f"quarantined; reason={HELD_BACK[limit]}"


def ask_fast(hostile: Hostile) -> Outcome:
    return asyncio.run(outcome(hostile, fast_lane=True))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), tables(ask_fast)))
