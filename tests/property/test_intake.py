"""Any bytes under any headers: one answer, never a 5xx, and nothing stored that was not sent."""

import asyncio
import base64
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.arrival import Arrival, Reply
from eventlog.event import Event
from tests.collector.inside import inside

PATHS = [
    f"/{api}/{call}"
    for api, calls in {
        "jsapi": "init send register prepopulate batch",
        "mobileapi": "init send sensors geo batch",
    }.items()
    for call in calls.split()
]
MEDIA = [
    "application/x-www-form-urlencoded",
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=b",
    'application/json; charset="utf-16"',
    "application/x-www-form-urlencoded; charset=latin1",
]
NAMES = [
    "appkey",
    "uid",
    "mid",
    "pid",
    "eid",
    "ts",
    "sentAt",
    "email",
    "userEmail",
    "phone",
    "customerId",
    "pushNotificationToken",
    "technicalInfo",
    "uType",
    "requestType",
    "actionType",
    "aditionalData",
    "additionalData",
    "sensors",
    "lat",
    "lon",
    "accuracy",
    "page",
    "utm",
    "lead",
    "call",
    "events",
    "other",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["demo", "shop", "action", "reach", "visit", "sale", "feedback", "p", "a@b.c", "init", "sensors"])
)
INNER = st.sampled_from(["rating", "receipts", "name", "value", "attributeName", "attributeValue", "uuid", "0", "data"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(INNER | st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), VALUES, max_size=10)
BATCHES = st.lists(OBJECTS | SCALARS, max_size=4).map(lambda events: {"appkey": "demo", "events": events})


def as_json(value: Any) -> bytes:
    """NaN and lone surrogates included, as no strict encoder writes them."""
    return json.dumps(value).encode()


PAIRS = st.lists(
    st.tuples(
        st.sampled_from(NAMES)
        | st.sampled_from(["sensors[uuid][0]", "a[]", "lead[x]", "events[0][uid]", "%FF", "a[9999]"]),
        st.sampled_from(["demo", "action", "visit", "1", "%FF", "%00", "%ED%A0%80", "feedback", "p"])
        | st.text("aé%+&=[]"),
    )
)
FORMS = PAIRS.map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode())
PARTS = st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=20))).map(
    lambda parts: (
        b"".join(
            b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
            for name, value in parts
        )
        + b"--b--"
    )
)
BODIES = st.binary() | (OBJECTS | BATCHES).map(as_json) | FORMS | FORMS.map(lambda form: b"appkey=demo&" + form) | PARTS
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(MEDIA) | LATIN | LATIN.map(lambda text: f"multipart/form-data; {text}"),
        "appkey": st.just("demo") | LATIN,
        "cookie": LATIN | LATIN.map(lambda text: f"cookie_consent={text}; ochn_vid={text}; ochn_lead={text}"),
        "origin": st.sampled_from(["null", "https://shop.example"]) | LATIN,
        "user-agent": LATIN,
        "dnt": LATIN,
    },
)


async def take(path: str, headers: dict[str, str], body: bytes) -> tuple[Reply, Arrival, list[Event], list[Event]]:
    with tempfile.TemporaryDirectory() as folder:
        async with inside(Path(folder), warnings=True) as house:
            arrival = house.arrival(path, body, **{"content_type": "", **headers})
            reply = await house.take(arrival)
            return reply, arrival, house.events(), house.quarantined()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), HEADERS, BODIES, st.booleans())
@example("/jsapi/send", {"content-type": "application/json"}, b'{"appkey":"demo","uid":"\\ud800","ts":NaN}', False)
def test_any_request_gets_one_answer(path: str, headers: dict[str, str], body: bytes, zipped: bool) -> None:
    if zipped:
        headers, body = {**headers, "content-encoding": "gzip"}, gzip.compress(body)
    reply, arrival, events, held = asyncio.run(take(path, headers, body))
    answer = orjson.loads(reply.body)
    assert isinstance(answer, dict)
    assert 200 <= reply.status < 500
    assert all(value.isascii() for _, value in reply.headers if value != headers.get("origin"))
    stored = {event.id for event in (*events, *held)}
    if reply.status != 200:
        assert (answer["success"], stored) == (False, set())
    elif path.endswith("batch"):
        assert {result["id"] for result in answer["results"]} == stored
        assert {result["status"] for result in answer["results"]} <= {"accepted", "quarantined"}
    else:
        assert stored == (set() if path.endswith("prepopulate") else {arrival.event_id})
    assert all(event.quarantinereasons is None for event in events)
    assert all(event.quarantinereasons for event in held)
    if not zipped and not path.endswith("batch"):
        kept = [base64.b64decode(event.data_base64) for event in held if event.data_base64]
        assert all(
            raw in (body, body.removeprefix(b"\xef\xbb\xbf"), body.strip()) or "utf-16" in str(headers) for raw in kept
        )


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PATHS), OBJECTS)
def test_what_is_accepted_is_what_was_sent(path: str, fields: dict[str, Any]) -> None:
    """Every text of an accepted event's data stood in the body."""
    sent = {**fields, "appkey": "demo"}
    _, _, events, _ = asyncio.run(take(path, {"content-type": "application/json"}, as_json(sent)))
    known = set(texts(sent))
    for event in events:
        if "events" not in sent:
            assert set(texts(event.data)) <= known | {"additionalData", "email", "phone", "pid", "lead"}


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else [repr(value)]
