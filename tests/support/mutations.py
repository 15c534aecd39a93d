"""Recorded requests, spoilt: each number of a seed is one request, always the same (`python -m tests.support.fuzz`)."""

import gzip
import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.support.corpus import sdk_session, vendor_samples

Mutation = Callable[[random.Random, bytes], bytes]
NUMBERS: Final = (b"0", b"-1", b"+2", b"1e999", b"18446744073709551616", b"NaN", b"0x10", b"007", b"9" * 400, b"1_0")
TOKENS: Final = (
    *NUMBERS,
    *(
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\\u0000",
        b"%00",
        b"%FF",
        b"%",
    ),
    *(
        b"%ED%A0%80",
        b"\xef\xbb\xbf",
        b"&",
        b"=",
        b"[",
        b"]",
        b"[]",
        b"[0]",
        b"[9999]",
        b"[a]" * 9,
        b"{",
        b"}",
        b'"',
        b",",
    ),
    *(b"[" * 2000, b'{"a":' * 600, b"&a=1" * 1200, b"a" * 20_000, b'{"a":1}', b"null", b"true", b'"events":[{}]'),
    *(b"appkey=demo", b"uid=", b"mid=v", b"sensors[uuid][0]=1", b"lat=200", b"events[0][uid]=x", b"ts=1e999"),
)
HEADERS: Final = (
    *(b"Content-Length: %b" % number for number in NUMBERS),
    *(
        b"Transfer-Encoding: %b" % coding
        for coding in (b"chunked", b"xchunked", b"chunked, identity", b" chunked", b"")
    ),
    *(b"Content-Encoding: %b" % coding for coding in (b"gzip", b"br", b"gzip, gzip", b"GZIP")),
    *(b"Content-Type: application/%b" % kind for kind in (b"json", b"x-www-form-urlencoded; charset=utf-16", b"xml")),
    *(
        b"Content-Type: %b" % kind
        for kind in (b"multipart/form-data; boundary=b", b"multipart/form-data", b"text/plain")
    ),
    *(b"appKey: demo", b"appkey: nobody", b"Expect: 100-continue", b"Connection: close", b"Connection: Upgrade, x"),
    *(
        b"Upgrade: h2c",
        b"Origin: null",
        b"Cookie: " + b"a=b;" * 500,
        b"X-Forwarded-For: ::1, x",
        b"X: " + b"y" * 17_000,
    ),
    *(b"Host : x", b" folded", b"No colon", b": no name", b"Sec-GPC: 1", b"DNT: \xff", b"Trailer: x"),
)
LINES: Final = (
    *(
        b"POST /jsapi/%b HTTP/1.1" % call
        for call in (b"init", b"send", b"register", b"prepopulate", b"batch", b"s%65nd")
    ),
    *(b"PUT /mobileapi/%b HTTP/1.1" % call for call in (b"init", b"send", b"sensors/", b"geo?x=1", b"batch", b"\xff")),
    *(
        b"GET / HTTP/1.1",
        b"HEAD /jsapi/send HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"POST /jsapi/send HTTP/1.0",
        b"PRI * HTTP/2.0",
    ),
    *(
        b"POST http://x/jsapi/send HTTP/1.1",
        b"POST  /jsapi/send  HTTP/1.1",
        b"post /jsapi/send HTTP/1.1",
        b"POST /jsapi/send",
    ),
    b"POST /jsapi/send?" + b"x" * 9000 + b" HTTP/1.1",
)


def corpus() -> list[bytes]:
    """As their clients send them, for a key and ids that are known."""
    samples = [*vendor_samples(), *sdk_session()]
    return [sample.with_mid("m1").wire("collector.test").replace(b"{{username}}", b"demo") for sample in samples]


def mutant(seed: int, number: int, samples: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """A request, and where its TCP segments end."""
    rng = random.Random(f"{seed}-{number}")
    raw = rng.choice(samples)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        raw = rng.choice(_MUTATIONS)(rng, raw)
    if rng.random() < 0.1:
        raw += rng.choice(samples)
    cuts = sorted(rng.sample(range(len(raw) + 1), min(rng.choice((0, 0, 1, 2, 9)), len(raw))))
    return raw, cuts


def _flip(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + bytes((rng.randrange(256),)) + raw[at + 1 :]


def _cut(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + raw[at + rng.choice((1, 2, 10, 100)) :]


def _truncate(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _repeat(rng: random.Random, raw: bytes) -> bytes:
    start = rng.randrange(len(raw) + 1)
    piece = raw[start : start + rng.choice((1, 8, 64))]
    return raw[:start] + piece * rng.choice((2, 3, 50)) + raw[start:]


def _insert(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    return raw[:at] + rng.choice(TOKENS) + raw[at:]


def _line(rng: random.Random, raw: bytes) -> bytes:
    return rng.choice(LINES) + b"\r\n" + raw.partition(b"\r\n")[2]


def _header(rng: random.Random, raw: bytes) -> bytes:
    line, _, rest = raw.partition(b"\r\n")
    return line + b"\r\n" + rng.choice(HEADERS) + rng.choice((b"\r\n", b"\r\n", b"\n")) + rest


def _body(rng: random.Random, raw: bytes) -> bytes:
    """Spoilt inside, and framed as a good client frames it, so that it is read to its end."""
    head, _, body = raw.partition(b"\r\n\r\n")
    for _ in range(rng.choice((1, 1, 3))):
        body = rng.choice((_flip, _cut, _repeat, _insert, _insert))(rng, body)
    kept = [line for line in head.split(b"\r\n") if line.partition(b":")[0].lower() not in _FRAMING]
    if rng.random() < 0.15:
        body = gzip.compress(body, 1, mtime=0)
        kept.append(b"Content-Encoding: gzip")
    if rng.random() < 0.3:
        return b"\r\n".join([*kept, b"Transfer-Encoding: chunked", b"", b"%x" % len(body), body, b"0", b"", b""])
    return b"\r\n".join([*kept, b"Content-Length: %d" % len(body), b"", body])


_FRAMING: Final = (b"content-length", b"transfer-encoding")
_MUTATIONS: Final[tuple[Mutation, ...]] = (_flip, _cut, _truncate, _repeat, _insert, _line, _header, *[_body] * 6)
