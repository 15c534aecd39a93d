"""Brackets to values and back."""

from typing import Any

import pytest

from base.forms import FormError, FormLimits, encode_form, nest, split_name, split_pairs

LIMITS = FormLimits(pairs=10, key_bytes=30, value_bytes=20, levels=3, index=5)


def read(body: bytes) -> dict[str, Any]:
    return nest(split_pairs(body, LIMITS), LIMITS)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&&b=&c", {"a": "1", "b": "", "c": ""}),
        (b"a+b=%C8%9B+%2B", {"a b": "ț +"}),
        (b"a[b][c]=1&a%5Bd%5D=2", {"a": {"b": {"c": "1"}, "d": "2"}}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        (b"a[2]=x&a[5]=y", {"a": ["x", "y"]}),
        (b"a[]=x&a[]=y", {"a": ["x", "y"]}),
        (b"a[1]=x&a[]=y", {"a": ["x", "y"]}),  # never onto what is there
        (b"a[0]=x&a[k]=y", {"a": {"0": "x", "k": "y"}}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=1&a[b]=2", {"a": {"b": "2"}}),
        (b"a[b]=2&a=1", {"a": "1"}),
        (b"a[b=1&[c]=2&d]=3&=4", {"a[b": "1", "[c]": "2", "d]": "3", "": "4"}),
    ],
)
def test_names_are_read_as_php_reads_them(body: bytes, fields: dict[str, Any]) -> None:
    assert read(body) == fields


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"&".join([b"a=1"] * 11), "pairs"),
        (b"a" * 31 + b"=1", "key_bytes"),
        (b"a=" + b"1" * 21, "value_bytes"),
        (b"a[b][c][d][e]=1", "levels"),
        (b"a[6]=1", "index"),
        (b"a[" + b"9" * 20 + b"]=1", "index"),
        (b"a=%FF", "charset"),
        (b"%FF=a", "charset"),
    ],
)
def test_each_limit_holds(body: bytes, limit: str) -> None:
    with pytest.raises(FormError) as raised:
        read(body)
    assert raised.value.limit == limit


def test_the_limits_themselves_are_allowed() -> None:
    assert read(b"&".join([b"a=1"] * 10)) == {"a": "1"}
    assert read(b"a[b][c][5]=" + b"1" * 20) == {"a": {"b": {"c": ["1" * 20]}}}


def test_a_value_of_another_charset() -> None:
    assert split_pairs(b"a=%E9", LIMITS, "iso8859-1") == [("a", "é")]


def test_a_value_that_is_an_object_is_left_alone() -> None:
    assert nest([("a[f]", {"0": "x"})], LIMITS) == {"a": {"f": {"0": "x"}}}


def test_split_name() -> None:
    assert split_name("a[b][][0]") == ("a", "b", "", "0")


def test_encoding_leaves_out_what_is_empty() -> None:
    fields = {"a": None, "b": [], "c": {}, "d": True, "e": False, "f": [1, "C&A"], "g": {"h": 2.5}}
    assert encode_form(fields) == b"d=true&e=false&f%5B0%5D=1&f%5B1%5D=C%26A&g%5Bh%5D=2.5"
