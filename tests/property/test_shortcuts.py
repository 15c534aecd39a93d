"""What is quick on the hot path says what the plain way says, written out here."""

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from base.clock import rfc3339, rfc3339_second
from base.forms import FormError, FormLimits, encode_form, nest, raw_pairs, read_form, split_name, split_pairs
from base.ids import SystemIds
from collector.decode.json_body import faults_of, over_limits, read_json, scan
from collector.decode.limits import body_limits
from collector.settings import LimitSettings
from forwarder.destinations import values
from forwarder.destinations.params import PARAMS

LIMITS = FormLimits(levels=3, index=12)
BODY_LIMITS = body_limits(LimitSettings(), "call")
PIECES = st.sampled_from(
    ["a", "b", "[", "]", "[]", "[0]", "[12]", "[13]", "[x]", "[:]", "[;]", "[/]", "[²]", "[01]", "é"]
)
NAMES = st.lists(PIECES, max_size=6).map("".join)


@given(st.floats(0, 253_402_300_799) | st.integers(0, 4_000_000_000).map(lambda ms: ms / 1000))
@example(0.9999995)
@example(1_800_000_000.9999999)
@example(253_402_300_799.0)
def test_a_time_is_written_as_datetime_writes_it(seconds: float) -> None:
    plain = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    assert rfc3339(seconds) == plain


@given(st.integers(-(10**12), 253_402_300_799_999))
@example(-1)
def test_a_time_in_whole_seconds_is_the_same_time_cut(milliseconds: int) -> None:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    assert rfc3339_second(milliseconds / 1000) == moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from plain_pairs(f"{name}[{key}]", item)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from plain_pairs(f"{name}[{index}]", item)
        case bool():
            yield name, str(value).lower()
        case None:
            return
        case _:
            yield name, str(value)


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a b", "é&=+%", "x" * 300, "\0"])
)
NESTED: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from(["", "a", "b c", "[é]", "\0", "d\0"]) | st.integers(0, 1), inner, max_size=4)
    ),
)


@given(st.dictionaries(st.sampled_from(["a", "b&", "[c]"]), NESTED))
def test_a_form_is_what_the_plain_way_writes(fields: dict[str, Any]) -> None:
    pairs = [pair for name, value in fields.items() for pair in plain_pairs(name, value)]
    assert encode_form(fields) == "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in pairs).encode()


def is_nothing(value: Any, depth: int) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or (depth == 40 and isinstance(value, dict | list | tuple))


def plain_clean(value: Any, depth: int = 0) -> Any:
    if is_nothing(value, depth):
        return None
    match value:
        case str():
            return value.replace("\0", "") or None
        case dict():
            pairs = [(str(name).replace("\0", ""), plain_clean(item, depth + 1)) for name, item in value.items()]
            return {name: item for name, item in pairs if name and item is not None} or None
        case list() | tuple():
            return [item for one in value if (item := plain_clean(one, depth + 1)) is not None] or None
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
    return value


@given(NESTED, st.sampled_from([0, 38, 39, 40, 41]))
def test_what_is_cleaned_is_what_the_plain_way_leaves(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    assert values.clean(value) == plain_clean(value)


MORE = st.none() | st.integers() | st.sampled_from(["", " a ", "\0", "b\0c"])
SOME = MORE | st.lists(MORE, max_size=3) | st.dictionaries(st.sampled_from("pq"), MORE, max_size=2)


def words(*names: str) -> st.SearchStrategy[Any]:
    return SOME | st.dictionaries(st.sampled_from(names), SOME)


def plain_visit(data: dict[str, Any]) -> dict[str, Any]:
    more, page, utm = (values.table(data.get(name)) for name in ("additionalData", "page", "utm"))
    told: dict[str, Any] = {name: values.texts(more.get(name)) for name in ("brands", "tenants", "interests")}
    where = {"page_url": page.get("url"), "page_title": page.get("title"), "referrer": page.get("referrer")}
    told |= {name: values.text(value) for name, value in where.items()}
    told |= {f"utm_{name}": values.text(value) for name, value in utm.items()}
    return values.clean(told) or {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "additionalData": words("brands", "tenants", "interests", "other"),
            "page": words("url", "title", "referrer"),
            "utm": words("source", "term\0", "\0"),
        },
    )
)
def test_a_visit_tells_what_it_tells_cleaned(data: dict[str, Any]) -> None:
    assert PARAMS["visit"](data, None) == plain_visit(data)


@given(st.binary() | st.lists(st.sampled_from([b"%", b"4", b"1", b"+", b"=", b"&", b"a", b"%5B"])).map(b"".join))
def test_pairs_are_those_of_the_plain_way(body: bytes) -> None:
    for text in (body, body + b"=" + b"long" * 100):
        pieces = [piece.partition(b"=") for piece in text.replace(b"+", b" ").split(b"&") if piece]
        plain = [(unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pieces]
        assert list(raw_pairs(text)) == plain


def is_index(name: str) -> bool:
    return name.isascii() and name.isdigit()


def plain_nest(pairs: list[tuple[str, str]]) -> dict[str, Any] | str:
    """The same reading, step by step; a limit's name when it is passed. Tuples mark what brackets made."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head, *steps = split_name(name)
        if len(steps) > LIMITS.levels:
            return "levels"
        node, last = root, head
        for step in steps:
            if not isinstance(node.get(last), dict):
                node[last] = {}
            node = node[last]
            last = step or str(max((int(each) for each in node if is_index(each)), default=-1) + 1)
            if is_index(last) and int(last) > LIMITS.index:
                return "index"
        node[last] = value
    return {name: plain_lists(value) for name, value in root.items()}


def plain_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if all(is_index(name) for name in value):
        return [plain_lists(value[name]) for name in sorted(value, key=int)]
    return {name: plain_lists(item) for name, item in value.items()}


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "2"])), max_size=8))
def test_names_are_nested_as_the_plain_way_nests_them(pairs: list[tuple[str, str]]) -> None:
    try:
        nested: dict[str, Any] | str = nest(pairs, LIMITS)
    except FormError as error:
        nested = error.limit
    assert nested == plain_nest(pairs)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "%2", "%FF", "a%26b", "é", "+", "long" * 5])), max_size=8))
@example([("", "")])
@example([("a" * 11, "1")])
def test_a_form_is_read_as_the_plain_way_reads_it(pairs: list[tuple[str, str]]) -> None:
    limits = FormLimits(pairs=6, key_bytes=10, value_bytes=18, levels=3, index=12)
    body = "&".join(f"{name}={value}" for name, value in pairs).encode()
    read, plain = (_result(way, body, limits) for way in (read_form, _plainly))
    assert read == plain
    assert _result(read_form, body.replace(b"[", b"%5B"), limits) == _result(_plainly, body, limits)


@given(
    st.lists(st.sampled_from(["a", "b[]", "&", "&", "=", "=", "%26", "%3D", "%", "+", "1"]), max_size=14).map("".join)
)
@example("a=1&b")
@example("a=1&a&&b=2")
@example("a=1&b=2=3&a")
def test_a_form_out_of_shape_is_read_as_the_plain_way_reads_it(text: str) -> None:
    limits = FormLimits(pairs=6, levels=3, index=12)
    assert _result(read_form, text.encode(), limits) == _result(_plainly, text.encode(), limits)


def _plainly(body: bytes, limits: FormLimits) -> dict[str, Any]:
    return nest(split_pairs(body, limits), limits)


def _result(
    way: Callable[[bytes, FormLimits], dict[str, Any]], body: bytes, limits: FormLimits
) -> dict[str, Any] | str:
    try:
        return way(body, limits)
    except FormError as error:
        return error.limit


def test_ids_are_never_given_twice_not_even_to_a_child() -> None:
    ids = SystemIds()
    given_out = [ids.event_id(1.0) for _ in range(1000)]
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join(ids.event_id(1.0) for _ in range(100)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reading, 100 * 36).decode()
    os.close(reading)
    os.close(writing)
    inherited = [told[at : at + 36] for at in range(0, len(told), 36)]
    every = [*given_out, *[ids.event_id(1.0) for _ in range(100)], *inherited]
    assert len(set(every)) == len(every) == 1200


DIGITS = st.integers(1, 10**38).map(str)
JSON_NUMBERS = st.builds("".join, st.tuples(st.sampled_from(["", "-"]), DIGITS, st.sampled_from(["", ".5", "e3"])))
JSON_TEXTS = st.builds("{}{}{}".format, st.sampled_from(["", "id", ":", "[ ", "é"]), DIGITS, st.sampled_from(["", "x"]))


def spelled(value: Any, space: str) -> str:
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join(spelled(item, space) for item in value)}{space}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}{space}:{space}{spelled(item, space)}" for name, item in value.items())
        return f"{{{space}{f',{space}'.join(pairs)}{space}}}"
    return json.dumps(value[1]) if value[0] == "text" else str(value[1])


SCALARS = st.tuples(st.just("number"), JSON_NUMBERS) | st.tuples(st.just("text"), JSON_TEXTS)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXTS, inner, max_size=3), max_leaves=6
)


@given(st.dictionaries(JSON_TEXTS, TREES, max_size=3), st.sampled_from(["", " ", "\n\t", "\r\n  "]))
@example({"a": ("number", str(2**64))}, "")
@example({"a": [("number", str(2**64 - 1)), ("number", f"-{2**63}"), ("number", f"-{2**63 + 1}")]}, " ")
def test_json_with_long_numbers_is_read_as_the_standard_library_reads_it(tree: dict[str, Any], space: str) -> None:
    body = spelled(tree, space).encode()
    plain = json.loads(body)
    decoded = read_json(body, "utf-8", BODY_LIMITS)
    assert decoded.fields == plain
    assert set(decoded.faults) == set(faults_of(plain))


NESTING = st.text(alphabet='a"\\[]{}:é', max_size=4)
NESTS = st.recursive(
    NESTING | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NESTING, inner, max_size=3),
    max_leaves=12,
)


def hidden(closing: str, opening: str, depth: int, *beside: str) -> list[Any]:
    """Its texts, taken for brackets, make it as deep as one."""
    inner = hidden(closing, opening, depth - 1, *beside) if depth else []
    return [*beside, closing, *beside, inner, *beside, opening, *beside]


@given(NESTS, st.integers(1, 8), st.integers(1, 8))
@example([{"a": [{"a": [{}]}]}], 3, 8)
@example(hidden("]", "[", 6), 3, 40)
@example(hidden('"]"', '"["', 6), 3, 40)
@example(hidden("]", "[", 6, "\\"), 3, 40)
def test_nesting_is_counted_as_token_by_token(value: Any, depth: int, most: int) -> None:
    limits = dataclasses.replace(BODY_LIMITS, depth=depth, containers=most, members=most)
    body = json.dumps(value, ensure_ascii=False).encode()
    assert over_limits(body, limits) == scan(body, limits)
