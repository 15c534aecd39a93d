"""docs/security.md says what hostile input gets, and it gets that, both ways through a whole collector."""

import asyncio

import pytest

from collector.limits import CLOSES
from collector.settings import LimitSettings
from tests.support.hostile import HOSTILE, LIMITS, PAGE, Hostile, ask_fast, expected, outcome, page, tables

CASES = {**LIMITS, **{name: Hostile(raw) for cases in HOSTILE.values() for name, raw in cases.items()}}


def test_the_page_is_made_by_asking() -> None:
    assert PAGE.read_text() == page(PAGE.read_text(), tables(ask_fast)), "run `make docs`"


@pytest.mark.parametrize("name", CASES)
def test_both_ways_give_the_same(name: str) -> None:
    fast, slow = [asyncio.run(outcome(CASES[name], fast_lane=fast)) for fast in (True, False)]
    assert fast == slow
    assert fast.status in (200, 400, 403, 408, 413, 414, 415, 431, 503)
    assert fast.stored == (fast.status == 200) + CASES[name].beside


@pytest.mark.parametrize("name", LimitSettings.model_fields)
def test_every_limit_gives_what_its_table_says(name: str) -> None:
    got = ask_fast(LIMITS[name])
    assert (got.verdict, got.closed) == (expected(name), name in CLOSES)
