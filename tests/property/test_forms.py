"""The form codec, whatever comes: a round trip, or one kind of error."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from base.forms import FormError, FormLimits, encode_form, nest, split_pairs

WIDE = FormLimits(pairs=10_000, key_bytes=10_000, value_bytes=100_000, levels=20, index=10_000)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAME = TEXT.filter(lambda name: not set(name) & set("[]") and name != "")
WORD = NAME.filter(lambda name: not (name.isascii() and name.isdigit()))
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXT,
    lambda inner: st.lists(inner, min_size=1, max_size=5) | st.dictionaries(WORD, inner, min_size=1, max_size=5),
    max_leaves=15,
)
BRACKETED = st.lists(st.sampled_from(["a", "[", "]", "[]", "[0]", "[1]", "=", "&", "+", "%", "%5B", "%FF", "1"]))


@given(st.dictionaries(NAME, VALUES, max_size=5))
def test_what_is_encoded_is_read_back(fields: dict[str, Any]) -> None:
    assert nest(split_pairs(encode_form(fields), WIDE), WIDE) == fields


@given(st.binary() | BRACKETED.map(lambda pieces: "".join(pieces).encode()))
def test_garbage_is_fields_or_a_form_error(body: bytes) -> None:
    limits = FormLimits(pairs=20, levels=3, index=9)
    try:
        fields = nest(split_pairs(body, limits), limits)
    except FormError as error:
        assert hasattr(limits, error.limit) or error.limit == "charset"
    else:
        assert all(isinstance(name, str) for name in fields)


@given(st.lists(TEXT, min_size=1, max_size=20))
def test_no_value_of_a_list_is_lost(values: list[str]) -> None:
    pairs = [("a[]", value) for value in values]
    assert nest(pairs, WIDE) == {"a": values}
