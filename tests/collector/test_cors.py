import pytest

from collector.cors import origin_headers, preflight
from collector.judging.keys import AppKey, KeyRing
from collector.settings import KeySettings

SHOP = "https://shop.example"


def key(*origins: str) -> AppKey:
    return AppKey("k", "default", frozenset(origins), frozenset({"web"}))


@pytest.mark.parametrize("origin", [None, SHOP, "null"])
def test_any_origin_reads_without_credentials(origin: str | None) -> None:
    for known in (None, key()):
        headers = dict(origin_headers(origin, known))
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
        assert headers["access-control-expose-headers"] == "X-Event-Id, X-Event-Status, Retry-After"


def test_a_listed_origin_reads_with_credentials() -> None:
    headers = dict(origin_headers(SHOP, key(SHOP, "https://other.example")))
    assert headers["access-control-allow-origin"] == SHOP
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"
    assert "X-Event-Id" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://shop.example.evil.example"])
def test_an_origin_is_never_echoed_because_it_came(origin: str | None) -> None:
    headers = dict(origin_headers(origin, key(SHOP)))
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    assert headers["vary"] == "Origin"


def test_preflights_are_answered_from_the_union() -> None:
    union = KeyRing(
        {
            "a": KeySettings(values=("a",), origins=(SHOP,)),
            "b": KeySettings(values=("b",), origins=("https://b.example",)),
        }
    ).origins()
    for origin in (SHOP, "https://b.example"):
        headers = dict(preflight(origin, "content-type, appkey", union))
        assert headers["access-control-allow-origin"] == origin
        assert headers["access-control-allow-credentials"] == "true"
        assert headers["access-control-allow-methods"] == "POST, PUT"
        assert headers["access-control-allow-headers"] == "content-type, appkey"
        assert headers["access-control-max-age"] == "86400"
    assert preflight("https://evil.example", "content-type", union) == (("vary", "Origin"),)


def test_one_key_for_any_origin_lets_every_preflight_pass() -> None:
    keys = {"a": KeySettings(values=("a",), origins=(SHOP,)), "any": KeySettings(values=("b",))}
    headers = dict(preflight("https://anybody.example", None, KeyRing(keys).origins()))
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    assert "access-control-allow-headers" not in headers


@pytest.mark.parametrize("asked", ["x\r\nset-cookie: a=b", "a" * 2000, "é"])
def test_what_is_no_list_of_names_is_not_given_back(asked: str) -> None:
    assert "access-control-allow-headers" not in dict(preflight(SHOP, asked, None))
