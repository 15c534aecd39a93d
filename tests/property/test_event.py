"""An event through its bytes: what the encoder leaves out, puts around it or can't read."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.event import Event, UnreadableEvent

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
TOLD = ("id", "type", "subject", "time", "receivedtime", "tenant", "appkeyname", "door")
EVENTS = st.builds(
    Event,
    **{name: TEXTS if name != "type" else st.just("ochn.web.visit") for name in TOLD},
    data=st.dictionaries(TEXTS, VALUES, max_size=5),
    source=TEXTS,
    clienteventid=st.none() | TEXTS,
    spooled=st.booleans(),
    useragent=st.none() | TEXTS,
)


@given(EVENTS)
def test_what_is_written_is_what_is_told_and_reads_as_it_was(event: Event) -> None:
    written = event.to_bytes()
    assert orjson.loads(written) == event.to_dict()
    assert list(orjson.loads(written)) == list(event.to_dict())
    assert Event.from_bytes(written) == event


@given(EVENTS, TEXTS)
def test_bytes_that_could_not_be_read_stand_in_place_of_the_fields(event: Event, encoded: str) -> None:
    event = event._replace(data={}, data_base64=encoded)
    written = orjson.loads(event.to_bytes())
    assert written == event.to_dict()
    assert "data" not in written
    assert "datacontenttype" not in written
    assert Event.from_bytes(event.to_bytes()) == event


@given(EVENTS, st.dictionaries(TEXTS, VALUES, max_size=3))
def test_attributes_of_a_newer_version_are_passed_over(event: Event, newer: dict[str, object]) -> None:
    body = {**{f"x{name}": value for name, value in newer.items()}, **event.to_dict()}
    assert Event.from_bytes(orjson.dumps(body)) == event


@given(st.binary(max_size=200) | st.sampled_from([b'{"data":' * 5_000, b"[]", b"null", b'{"id":"\xff"}', b'"\\ud800"']))
def test_what_is_no_event_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        Event.from_bytes(body)


@given(EVENTS, st.sampled_from([*TOLD, "data"]), st.sampled_from([5, None, [], True]))
def test_an_attribute_of_another_type_makes_it_none(event: Event, name: str, value: object) -> None:
    with pytest.raises(UnreadableEvent):
        Event.from_bytes(orjson.dumps({**event.to_dict(), name: value}))
