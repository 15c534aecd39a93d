"""The fast lane and ASGI: under one seed they give the same answer, and keep the same event, whatever is asked."""

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.collector.pipe import Told, parts, talk
from tests.property.test_intake import BODIES, MEDIA, PATHS
from tests.support.corpus import Sample, sdk_session, vendor_samples

TARGETS = st.sampled_from(
    [
        *PATHS,
        *[f"{path}/" for path in PATHS],
        "/jsapi/send?x=1&y=%20",
        "/jsapi/s%65nd",
        "/jsapi/send#part",
        "http://collector.test/jsapi/init",
        "/jsapi/send//",
        "/nowhere",
        "/mobileapi/content-delivery",
        "/health/live",
        "*",
    ]
)
METHODS = st.sampled_from(["POST"] * 6 + ["PUT", "GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "NOSUCH"])
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
HEADERS = st.lists(
    st.tuples(st.just("Content-Type"), st.sampled_from(MEDIA))
    | st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "br", "identity"]))
    | st.tuples(st.just("appKey"), st.sampled_from(["demo", "shop", "nobody"]))
    | st.tuples(st.just("Origin"), st.sampled_from(["null", "https://shop.example", "https://x.example"]))
    | st.tuples(st.just("Access-Control-Request-Headers"), st.sampled_from(["x-y, appkey", "é"]))
    | st.tuples(st.just("Cookie"), st.sampled_from(["ochn_vid=abc; cookie_consent=accepted", "ochn_lead=x.y"]))
    | st.tuples(st.sampled_from(["X-Forwarded-For", "X-Forwarded-Proto", "DNT", "User-Agent", "Sec-Purpose"]), TEXT)
    | st.tuples(st.just("Connection"), st.sampled_from(["close", "keep-alive", "Upgrade"]))
    | st.tuples(st.just("Upgrade"), st.sampled_from(["h2c", "websocket"]))
    | st.tuples(st.just("Expect"), st.just("100-continue")),
    max_size=8,
)
VERSIONS = st.sampled_from(["1.1", "1.1", "1.1", "1.0"])


def raw_request(
    method: str, target: str, version: str, headers: list[tuple[str, str]], body: bytes, *, chunked: bool = False
) -> bytes:
    if chunked:
        framing = ("Transfer-Encoding", "chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    else:
        framing = ("Content-Length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in [("Host", "x"), *headers, framing])
    return f"{method} {target} HTTP/{version}\r\n{lines}\r\n".encode() + body


def both(raw: bytes, pieces: int = 1) -> tuple[Told, Told]:
    return (
        asyncio.run(talk(raw, fast_lane=True, pieces=pieces)),
        asyncio.run(talk(raw, fast_lane=False, pieces=pieces)),
    )


REQUESTS = st.builds(raw_request, METHODS, TARGETS, VERSIONS, HEADERS, BODIES, chunked=st.booleans())
UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "h2c")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REQUESTS, st.integers(1, 40))
@example(raw_request("HEAD", "/jsapi/send", "1.1", [], b""), 1)
@example(raw_request("POST", "/jsapi/send", "1.1", UPGRADE, b"appkey=demo&uid=p"), 7)
def test_both_ways_say_and_keep_the_same(raw: bytes, pieces: int) -> None:
    fast, slow = both(raw, pieces)
    assert parts(fast[0]) == parts(slow[0])
    assert fast[0].startswith(b"HTTP/1.1 ")
    assert fast[1:] == slow[1:]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda junk: b"POST /jsapi/send HTTP/1.1\r\n" + junk))
def test_junk_is_refused_or_waited_for(junk: bytes) -> None:
    """Whatever comes: an answer, or nothing yet; never an exception out of the protocol."""
    for fast_lane in (True, False):
        written, _, _ = asyncio.run(talk(junk, fast_lane=fast_lane, requests=0))
        assert written == b"" or written.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("sample", [*vendor_samples(), *sdk_session()], ids=lambda sample: str(sample.name))
def test_what_was_recorded(sample: Sample) -> None:
    fast, slow = both(sample.wire("x"))
    assert parts(fast[0]) == parts(slow[0])
    assert fast[1:] == slow[1:]
