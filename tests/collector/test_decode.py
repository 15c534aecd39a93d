"""Bodies of every media to fields, to faults, or to a refusal."""

import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from base.reasons import Quarantine, Refusal
from collector.decode import BodyLimits, Decoded, body_limits, decode
from collector.errors import Refused
from collector.settings import LimitSettings
from tests.collector.inside import FORM, JSON

LIMITS = body_limits(LimitSettings(), "call")
SMALL = body_limits(
    LimitSettings(json_depth=3, json_containers=5, gunzipped_bytes=1000, gunzip_ratio=20, form_value_bytes=20), "call"
)
MULTIPART = "multipart/form-data; boundary=line"


def read(body: bytes, media: str | None = None, limits: BodyLimits = LIMITS, encoding: str | None = None) -> Decoded:
    headers = {"content-type": media, "content-encoding": encoding}
    return decode({name: value for name, value in headers.items() if value is not None}, body, limits)


def refusal(body: bytes, media: str | None, limits: BodyLimits = LIMITS, encoding: str | None = None) -> Refusal:
    with pytest.raises(Refused) as raised:
        read(body, media, limits, encoding)
    return raised.value.refusal


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (FORM, b"a[b]=%C8%9B"),
        (f"{FORM}; charset=UTF-8", b"a[b]=%C8%9B"),
        (f"{FORM};charset=iso-8859-2", b"a[b]=%FE"),
        ("Application/X-WWW-Form-Urlencoded", b"a[b]=%C8%9B"),
        (JSON, '{"a":{"b":"ț"}}'.encode()),
        ("application/json; charset=utf-8", '\ufeff{"a":{"b":"ț"}}'.encode()),
        ("application/json; charset=utf-16", '{"a":{"b":"ț"}}'.encode("utf-16")),
        ("application/json; charset=windows-1250", '{"a":{"b":"ţ"}}'.replace("ţ", "\\u021b").encode()),
        ("application/vnd.api+json", b'{"a":{"b":"\\u021b"}}'),
        ("text/json", b'{"a":{"b":"\\u021b"}}'),
        ("text/plain;charset=UTF-8", b' \n{"a":{"b":"\\u021b"}}'),
        ("text/plain", b"a[b]=%C8%9B\r\n"),
        (None, b"a[b]=%C8%9B"),
        (None, b'{"a":{"b":"\\u021b"}}'),
        ("", b"a[b]=%C8%9B"),
        (MULTIPART, b'--line\r\nContent-Disposition: form-data; name="a[b]"\r\n\r\n\xc8\x9b\r\n--line--\r\n'),
    ],
)
def test_one_meaning_in_every_media(media: str | None, body: bytes) -> None:
    expected = {"a": {"b": "\u0163" if media and "8859-2" in media else "ț"}}
    decoded = read(body, media)
    assert (decoded.fields, decoded.faults) == (expected, ())


@pytest.mark.parametrize("media", ["image/png", "application/octet-stream", "text/html", "nonsense", "text/xml"])
def test_other_media(media: str) -> None:
    assert refusal(b"a=1", media) == Refusal.UNSUPPORTED_MEDIA


@pytest.mark.parametrize("charset", ["unicode_escape", "punycode", "idna", "rot13", "hex", "klingon", "\0", "utf-7"])
def test_charsets_that_only_python_has(charset: str) -> None:
    assert refusal(b"a=1", f'{FORM}; charset="{charset}"') == Refusal.UNSUPPORTED_MEDIA


@pytest.mark.parametrize(
    "body", [b"{", b'{"a":1}}', b"[1]", b'"a"', b"1", b"null", b"{'a':1}", b'{"a":"\x01"}', b'{"a":1} x', b"[" * 9999]
)
def test_what_is_no_json_object(body: bytes) -> None:
    assert refusal(body, JSON) == Refusal.UNREADABLE_BODY


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        (b'{"appkey":"k","a":NaN}', [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":-Infinity}', [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":1e999}', [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":18446744073709551616}', [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":-9223372036854775809}', [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":' + b"9" * 5000 + b"}", [Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":"\\ud800"}', [Quarantine.BAD_TEXT]),
        (b'{"appkey":"k","\\udfff":1}', [Quarantine.BAD_TEXT]),
        (b'{"appkey":"k","a":["\xff",NaN]}', [Quarantine.BAD_TEXT, Quarantine.BAD_NUMBER]),
        (b'{"appkey":"k","a":18446744073709551615,"b":"12345678901234567890123"}', []),
        (b'{"appkey":"k","a":"\\ud83d\\ude00\\u0000"}', []),
    ],
)
def test_what_no_event_can_hold_is_told_and_its_key_still_read(body: bytes, faults: list[Quarantine]) -> None:
    decoded = read(body, JSON)
    assert (decoded.fields["appkey"], list(decoded.faults), decoded.body) == ("k", faults, body)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"appkey":"k","a":{"b":{"c":{}}}}', Quarantine.TOO_DEEP),
        (b'{"appkey":"k","a":[{},{},{},{},{}]}', Quarantine.TOO_MANY_FIELDS),
        (b'{"appkey":"k","a":"[[[[[[{{{{\\"{{{","b":[{},{}]}', None),
    ],
)
def test_json_is_counted_outside_its_strings(body: bytes, fault: Quarantine | None) -> None:
    decoded = read(body, JSON, SMALL)
    assert (decoded.fields["appkey"], decoded.faults) == ("k", (fault,) if fault else ())


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"appkey=k&uid=u&a=%FF", Quarantine.BAD_TEXT),
        (b"uid=%FF&appkey=k&mid=u", Quarantine.BAD_TEXT),
        (b"appkey=k&uid=u&a=" + b"1" * 21, Quarantine.FIELD_TOO_LARGE),
        (b"appkey=k&uid=u&a[b][c][d][e][f][g]=1", Quarantine.TOO_DEEP),
        (b"appkey=k&uid=u&a[100]=1", Quarantine.TOO_MANY_FIELDS),
        (b"appkey=k&uid=u" + b"&a=1" * 1000, Quarantine.TOO_MANY_FIELDS),
    ],
)
def test_a_form_past_a_limit_still_says_whose_it_is(body: bytes, fault: Quarantine) -> None:
    decoded = read(body, FORM, SMALL)
    assert decoded.faults == (fault,)
    assert decoded.fields["appkey"] == "k"
    assert "u" in decoded.fields.values()


def test_gzip_in_members() -> None:
    assert read(gzip.compress(b"a=1", mtime=0) + gzip.compress(b"&b=2", mtime=0), FORM, encoding="GZIP").fields == {
        "a": "1",
        "b": "2",
    }
    assert read(b"a=1", FORM, encoding="identity").fields == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (gzip.compress(b"a=1", mtime=0)[:-9], Refusal.UNREADABLE_BODY),
        (gzip.compress(b"a=1", mtime=0) + b"more", Refusal.UNREADABLE_BODY),
        (zlib.compress(b"a=1"), Refusal.UNREADABLE_BODY),
        (b"", Refusal.UNREADABLE_BODY),
        (gzip.compress(bytes(range(256)) * 4, mtime=0), Refusal.TOO_LARGE),
        (gzip.compress(b"a" * 999, mtime=0), Refusal.TOO_LARGE),  # by its ratio
    ],
)
def test_gzip_that_is_none_or_a_bomb(body: bytes, expected: Refusal) -> None:
    assert refusal(body, FORM, SMALL, "gzip") == expected


def test_a_bomb_is_never_unpacked() -> None:
    bomb = gzip.compress(b"a" * 50_000_000, mtime=0)
    tracemalloc.start()
    assert refusal(bomb, FORM, encoding="gzip") == Refusal.TOO_LARGE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def part(head: str, value: bytes) -> bytes:
    return b"--line\r\n" + head.encode() + b"\r\n\r\n" + value + b"\r\n"


def test_multipart_files_and_fields() -> None:
    body = (
        b"preamble\r\n"
        + part('Content-Disposition: form-data; name="lead[userFirstName]"', b"Ana\r\nMaria")
        + part('content-disposition:form-data; name="lead[cv]"; filename="cv.pdf"\r\nContent-Type: a/b', b"\x00\xff")
        + part("Content-Type: text/plain", b"nobody's")
        + b"--line--\r\nepilogue"
    )
    fields: dict[str, Any] = {
        "lead": {"userFirstName": "Ana\r\nMaria", "cv": {"name": "cv.pdf", "type": "a/b", "data": "AP8="}}
    }
    assert read(body, MULTIPART).fields == fields


@pytest.mark.parametrize("body", [b"", b"a=1", b"--line\r\n\r\n", b"--line--"[:-2], part("x", b"y")])
def test_multipart_that_is_not_closed(body: bytes) -> None:
    assert refusal(body, MULTIPART) == Refusal.UNREADABLE_BODY
    assert refusal(b"--\r\n----", "multipart/form-data") == Refusal.UNREADABLE_BODY


def test_multipart_past_a_limit_still_says_whose_it_is() -> None:
    key = part('Content-Disposition: form-data; name="appkey"', b"k")
    long = part('Content-Disposition: form-data; name="a"; filename="f"', b"x" * 21)
    bent = part('Content-Disposition: form-data; name="a"', b"\xff")
    for piece, fault in ((long, Quarantine.FIELD_TOO_LARGE), (bent, Quarantine.BAD_TEXT)):
        decoded = read(key + piece + b"--line--", MULTIPART, SMALL)
        assert (decoded.fields, decoded.faults) == ({"appkey": "k"}, (fault,))


def test_a_lead_and_a_batch_may_hold_more() -> None:
    settings = LimitSettings()
    lead, batch = body_limits(settings, "lead"), body_limits(settings, "batch")
    assert lead.form.value_bytes == settings.lead_body_bytes
    assert (batch.form.index, batch.form.levels, batch.form.pairs) == (499, 7, 8000)
    assert lead.gunzipped == batch.gunzipped == 8 * 1024 * 1024
