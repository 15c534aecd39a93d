"""What a record takes in a batch, told before the batch is made."""

from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from eventlog.kafka.lane import Lane, Queued, size
from eventlog.log import Record

RECORDS = st.builds(
    Record,
    topic=st.just("events"),
    key=st.binary(max_size=300),
    value=st.none() | st.binary(max_size=2_000),
    timestamp=st.floats(0, 4e9),
    headers=st.lists(st.tuples(st.text(st.characters(codec="utf-8"), max_size=40), st.binary(max_size=300))).map(tuple),
)


def built(records: list[Record], limit: int) -> tuple[int, int]:
    """How many of them a batch took, and its bytes."""
    lane, batch = Lane("events", 0, limit), BatchBuilder(2**31, 0)
    lane.queue.extend(Queued(record, lambda _record, _outcome: None, size(record)) for record in records)
    taken = len(lane.take(batch))
    return taken, len(bytes(batch._build()))


@given(RECORDS)
def test_a_batch_of_one_is_never_larger_than_told_and_not_much_smaller(record: Record) -> None:
    _, bytes_ = built([record], 10**9)
    spare = 40 + sum(10 + 4 * len(name) for name, _ in record.headers)
    assert bytes_ <= size(record) <= bytes_ + spare


@given(st.lists(RECORDS, min_size=1, max_size=20), st.integers(200, 20_000))
def test_a_batch_keeps_within_the_limit_unless_its_only_record_does_not(records: list[Record], limit: int) -> None:
    taken, bytes_ = built(records, limit)
    assert 1 <= taken <= len(records)
    assert bytes_ <= limit or taken == 1
