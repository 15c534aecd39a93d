"""One field, two spellings: what comes under both is merged, and nothing of it is lost on its way upstream."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.reasons import Quarantine
from collector.judging.fields import canonical_names, straighten

PAGE, SDK = "aditionalData", "additionalData"


def straightened(page: Any, sdk: Any) -> dict[str, Any]:
    data = canonical_names({"appkey": "k", PAGE: page, SDK: sdk})
    straighten(data)
    return data


@pytest.mark.parametrize(
    ("page", "sdk", "data"),
    [
        ({"brands": ["Zara"]}, {"rating": "9"}, {SDK: {"brands": ["Zara"], "rating": "9"}}),
        ({"rating": "9"}, {"rating": "9"}, {SDK: {"rating": "9"}}),
        ({"rating": "8", "a": 1}, {"rating": "9"}, {SDK: {"rating": "9", "a": 1}, PAGE: {"rating": "8"}}),
        ({"a": 1}, [{"attributeName": "b", "attributeValue": 2}], {SDK: {"a": 1, "b": 2}}),
        ({"a": 1}, "", {SDK: {"a": 1}}),
        ([], {"a": 1}, {SDK: {"a": 1}}),
        ("", None, {}),
        ("text", {"a": 1}, {SDK: {"a": 1}, PAGE: "text"}),
    ],
)
def test_both_spellings(page: Any, sdk: Any, data: dict[str, Any]) -> None:
    assert straightened(page, sdk) == data


def test_what_has_no_shape_is_told_under_its_own_name() -> None:
    data = canonical_names({PAGE: {"a": 1}, SDK: "text"})
    assert [remark.field for remark in straighten(data) if remark.code is Quarantine.BAD_SHAPE] == [SDK]
    assert data == {PAGE: {"a": 1}, SDK: "text"}


names = st.sampled_from(["rating", "brands", "x"])
objects = st.dictionaries(names, st.none() | st.text(max_size=3) | st.integers(), max_size=3)


@given(objects, objects)
def test_nothing_is_lost(page: Mapping[str, Any], sdk: Mapping[str, Any]) -> None:
    data = straightened(dict(page), dict(sdk))
    for came in (page, sdk):
        for name, value in came.items():
            assert any(name in data.get(kept, {}) and data[kept][name] == value for kept in (PAGE, SDK))
