"""Under `personal = "drop"` and `"hash"` nothing that stood in a personal field is anywhere: not in the log, not beside it."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.judging.privacy import OF_NOBODY, PERSONAL
from tests.collector.inside import FORM, JSON, inside

SECRET = st.sampled_from(("ann.canary@example.com", "+40700canary", "canary", "CANARY-7", "0700 canary"))
NAMES = st.sampled_from(sorted(PERSONAL)).flatmap(
    lambda name: st.sampled_from((name, name.upper(), f"_{name}", name.replace("user", "user-")))
)
KNOWN = st.sampled_from(("email", "userEmail", "phone", "userPhone", "customerId", "pushNotificationToken"))
PLAIN = st.sampled_from(
    ("brands", "x", "additionalData", "aditionalData", "technicalInfo", "page", "sensors", "rating")
)
HIDDEN = st.recursive(
    st.dictionaries(NAMES | KNOWN, SECRET | st.lists(SECRET, max_size=2) | st.dictionaries(PLAIN, SECRET), min_size=1),
    lambda inner: st.dictionaries(PLAIN, inner | st.lists(inner, max_size=2), min_size=1, max_size=3),
    max_leaves=6,
)
LEADS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in OF_NOBODY and "\x00" not in name), SECRET | HIDDEN, max_size=4
)
PAGES = st.tuples(NAMES, SECRET, st.sampled_from(("?", "?a=1&", "#/x?"))).map(
    lambda found: {"url": f"https://x/{found[2]}{urlencode({found[0]: found[1]})}"}
)
CALLS = st.sampled_from(("/jsapi/init", "/jsapi/send", "/jsapi/register", "/mobileapi/init", "/mobileapi/sensors"))


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    told = {
        **draw(HIDDEN),
        **draw(st.fixed_dictionaries({}, optional={"lead": LEADS | SECRET, "page": PAGES | SECRET})),
    }
    return {**told, "uid": "v", "mid": "v", **draw(st.fixed_dictionaries({}, optional={"bad": st.just(float("inf"))}))}


async def stored(path: str, body: bytes, media: str) -> bytes:
    """All that is in the log and beside it."""
    with tempfile.TemporaryDirectory() as folder:
        async with inside(Path(folder)) as house:
            await house.send(path, body, content_type=media)
            records = [event.to_bytes() for event in (*house.events(), *house.quarantined())]
        files = [file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()]
    assert records
    return b"\n".join((*records, *files))


@settings(max_examples=80, deadline=None)
@given(CALLS, bodies(), st.sampled_from(("hashing", "dropping")))
@example("/mobileapi/sensors", {"sensors": {"macAddress": {"1": "canary"}}, "uid": "v", "mid": "v"}, "dropping")
def test_in_no_way_that_a_call_comes(path: str, told: dict[str, Any], key: str) -> None:
    body = orjson.dumps({**told, "bad": 1} if "bad" in told else told)
    whole = body.replace(b'"bad":1', b'"bad":1e999')[:-1] + b',"appkey":"%b"}' % key.encode()
    assert b"canary" not in asyncio.run(stored(path, whole, JSON)).lower()
    door, _, call = path[1:].partition("/")
    batch = b'{"appkey":"%b","events":[%b]}' % (key.encode(), whole[:-1] + b',"call":"%b"}' % call.encode())
    assert b"canary" not in asyncio.run(stored(f"/{door}/batch", batch, JSON)).lower()


@settings(max_examples=60, deadline=None)
@given(CALLS, st.lists(st.tuples(KNOWN | st.sampled_from(("lead[userJob]", "page[url]")), SECRET), max_size=5))
def test_nor_in_a_form(path: str, pairs: list[tuple[str, str]]) -> None:
    spoilt = "&x=%FF" if len(pairs) % 2 else ""
    told = [(name, f"?email={value}" if name == "page[url]" else value) for name, value in pairs]
    body = f"appkey=dropping&uid=v&mid=v&{urlencode(told)}{spoilt}"
    assert b"canary" not in asyncio.run(stored(path, body.encode(), FORM)).lower()
