"""What the tests take for granted of their runner."""

import pytest


@pytest.mark.xdist_group("kept-together")
def test_a_groups_tests_stay_on_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups apart by the ids it gives tests. Where pytest lets it give none, nothing fails: each
    worker starts the same services once more, and the run takes twice as long (pytest-xdist#1386)."""
    grouping = request.config.getoption("loadgroup", default=False)
    assert not grouping or request.node.nodeid.endswith("@kept-together")
