"""What is counted on the hot path."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry, Counter

from base.metrics import Counts


@pytest.mark.anyio
async def test_counts_of_one_turn_are_added_at_its_end() -> None:
    registry = CollectorRegistry()
    counts = Counts(Counter("c", "c", ["route", "status"], registry=registry))
    for status in ("200", "200", "404"):
        counts.add("send", status)
    await asyncio.sleep(0)
    counts.add("send", "200")
    await asyncio.sleep(0)
    counted = [registry.get_sample_value("c_total", {"route": "send", "status": status}) for status in ("200", "404")]
    assert counted == [3, 1]
