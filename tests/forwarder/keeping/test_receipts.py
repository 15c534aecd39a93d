"""What became of events that were parked, told for many at once and of no other."""

from pathlib import Path

import pytest

from base.clock import ManualClock
from base.logs import quiet_logger
from base.reasons import Dead, Filter
from eventlog.log import Position
from forwarder.destinations.base import Outcome, dead, delivered, filtered
from forwarder.keeping.receipt_index import ReceiptIndex, find_place
from forwarder.keeping.receipts import Receipt, single
from forwarder.keeping.store import Store
from forwarder.work import Work
from tests.forwarder.small import make_event

OFFSETS = {0: [3, 9, 4], 1: [7]}


def works() -> list[Work]:
    return [
        Work(make_event(offset, "v1"), partition, offset, 1, 0.0)
        for partition, offsets in OFFSETS.items()
        for offset in offsets
    ]


def written(outcome: Outcome, answer: int | None) -> dict[int, Receipt]:
    made = single(works(), outcome, answer, "up", 1_800_000_000.0)
    return {one.partition: Receipt.from_bytes(one.to_record("t", 0.0).value or b"") for one in made}


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (delivered(), {"outcome": "delivered", "reason": "", "answer": 202}),
        (delivered(late=True), {"outcome": "delivered", "reason": "", "answer": 202, "late": True}),
        (filtered(Filter.ERASED), {"outcome": "filtered", "reason": "erased"}),
        (dead(Dead.REFUSED, "no"), {"outcome": "dead", "reason": "refused"}),
    ],
)
def test_one_receipt_tells_of_all_of_a_partition_and_of_none_between(outcome: Outcome, told: dict[str, object]) -> None:
    receipts = written(outcome, 202)
    assert receipts.keys() == OFFSETS.keys()
    for partition, offsets in OFFSETS.items():
        receipt = receipts[partition]
        assert list(receipt.all) == sorted(offsets)
        assert receipt.delivered == (len(offsets) if outcome.kind == "delivered" else 0)
        for offset in offsets:
            assert told.items() <= dict(receipt.told(offset)).items()
            assert receipt.told(offset).get("late", False) == outcome.late


@pytest.mark.anyio
async def test_each_of_them_is_found_by_its_own_row(tmp_path: Path) -> None:
    store = Store(tmp_path / "x.db", ManualClock(), quiet_logger())
    index = ReceiptIndex("receipts", store)
    for place, receipt in enumerate(written(delivered(), 202).values()):
        index.note(receipt, Position("receipts", 0, place), 0.0)
    await store.close(60)
    for partition, offsets in OFFSETS.items():
        found = [find_place(tmp_path / "x.db", partition, offset) for offset in offsets]
        assert all(place is not None and (place.exact, place.offset) == (True, partition) for place in found)
    assert find_place(tmp_path / "x.db", 0, 5) is None
