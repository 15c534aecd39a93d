"""An ad-serving call on its way upstream: what is swapped in it, and what is not."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.reasons import Refusal
from collector.arrival import Arrival, Reply
from collector.decode import body_limits
from collector.door.ad_call import parsed
from collector.door.pass_through import PassThrough
from collector.errors import Refused
from collector.judging.keys import KeyRing
from collector.judging.rates import Rates
from collector.replies import STATUS
from collector.settings import KeySettings, LimitSettings, PassThroughSettings, RateSettings, Upstream

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PATH = "/mobileapi/content-delivery"
LIMITS = body_limits(LimitSettings(), "call")


def arrival(body: bytes, media: str = "", query: str = "", **headers: str) -> Arrival:
    told = {"content-type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Arrival("POST", PATH, told, body, "192.0.2.1", 0.0, "id", query)


def sent(asked: Arrival) -> tuple[str, bytes]:
    return parsed(asked, LIMITS).sent("theirs", lambda mid: f"upstream-of-{mid}")


def test_a_json_object() -> None:
    told = {"appkey": "ours", "mid": "m1", "other": {"mid": "stays"}, "count": 3, "nothing": None}
    query, body = sent(arrival(orjson.dumps(told), "application/json; charset=utf-8"))
    assert query == ""
    assert orjson.loads(body) == {**told, "appkey": "theirs", "mid": "upstream-of-m1"}
    assert orjson.loads(sent(arrival(b'{"mid":7}', JSON))[1]) == {"mid": 7}


def test_a_form_and_a_query() -> None:
    query, body = sent(arrival(b"mid=m%201&tags[0]=a&tags[0]=b&empty=", FORM, "appkey=ours&mobileId=m2&q=%26"))
    assert parse_qsl(query) == [("appkey", "theirs"), ("mobileId", "upstream-of-m2"), ("q", "&")]
    assert body == b"mid=upstream-of-m+1&tags%5B0%5D=a&tags%5B0%5D=b&empty="
    assert sent(arrival(b"", query="mid=m1")) == ("mid=upstream-of-m1", b"")


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (arrival(b'{"appkey":"a"}', JSON), "a"),
        (arrival(b'{"appKey":"a"}', JSON), "a"),
        (arrival(b"", query="appkey=a"), "a"),
        (arrival(b'{"appkey":"b"}', JSON, appkey="a"), "a"),
        (arrival(b'{"appkey":["a"]}', JSON), ""),
    ],
)
def test_the_key(asked: Arrival, key: str) -> None:
    assert parsed(asked, LIMITS).key(asked.headers) == key


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (arrival(b"{", JSON), Refusal.UNREADABLE_BODY),
        (arrival(b"[]", JSON), Refusal.UNREADABLE_BODY),
        (arrival(b'{"a":' * 300 + b"1" + b"}" * 300, JSON), Refusal.UNREADABLE_BODY),
        (arrival(b"\xff=1", FORM), Refusal.UNREADABLE_BODY),
        (arrival(b"&".join([b"a=1"] * 1001), FORM), Refusal.UNREADABLE_BODY),
        (arrival(b"x", "multipart/form-data; boundary=x"), Refusal.UNSUPPORTED_MEDIA),
        (arrival(b"{}", JSON, content_encoding="gzip"), Refusal.UNSUPPORTED_MEDIA),
    ],
)
def test_what_no_id_can_be_swapped_in_is_refused(asked: Arrival, refusal: Refusal) -> None:
    with pytest.raises(Refused) as caught:
        parsed(asked, LIMITS)
    assert caught.value.refusal is refusal


@given(st.binary(max_size=60), st.sampled_from([FORM, JSON, "text/plain", "", "x"]), st.text(max_size=30))
def test_garbage_is_refused_or_goes_on(body: bytes, media: str, query: str) -> None:
    try:
        found: Any = sent(arrival(body, media, query))
    except Refused:
        return
    assert isinstance(found[1], bytes)


@pytest.mark.anyio
async def test_who_asks_too_fast_or_without_a_key_does_not_reach_the_vendor() -> None:
    """There is no vendor here: whoever gets as far as that fails."""
    nobody: Any = None
    ring = KeyRing({"app": KeySettings(values=("app",))})
    passing = PassThrough(
        PassThroughSettings(destination="vendor"),
        Upstream(kind="footprints", base_url="https://vendor.example"),
        nobody,
        nobody,
        keys=lambda: ring,
        first_keys={},
        rates=Rates(
            RateSettings(mobile_per_second=0.001, mobile_burst=1, bad_keys_per_minute=2), 1, lambda: 0.0, dev=False
        ),
        limits=LIMITS,
        refuse=lambda refusal: Reply(STATUS[refusal], refusal.encode()),
    )
    strangers = [await passing.answer(arrival(b'{"appkey":"who"}', JSON)) for _ in range(3)]
    assert [reply.body for reply in strangers] == [b"unknown_key", b"unknown_key", b"bad_keys"]
    with pytest.raises(AttributeError):
        await passing.answer(arrival(b'{"appkey":"app","mid":"m"}', JSON))
    assert (await passing.answer(arrival(b'{"appkey":"app","mid":"m"}', JSON))).body == b"rate"
    with pytest.raises(AttributeError):
        await passing.answer(arrival(b'{"appkey":"app","mobileId":"other"}', JSON))
