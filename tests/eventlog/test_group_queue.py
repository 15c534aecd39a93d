"""What one turn of the loop hands over, cut into groups."""

from eventlog.embedded.queue import Entry, GroupQueue
from eventlog.log import Record

MEGABYTE = 1 << 20


def entry(number: int, size: int = 1) -> Entry:
    return Entry([Record("t", b"%d" % number, b"x" * size, 0.0)], lambda _record, _outcome: None)


def groups(queue: GroupQueue) -> list[list[int]]:
    """The numbers of the entries of each group, to the end."""
    taken = []
    while (group := queue.take(5)) is not None:
        taken.append([int(each.records[0].key) for each in group.entries])
        assert [record for each in group.entries for record in each.records] == group.topics["t"]
    return taken


def test_all_that_waits_is_one_group_in_its_order() -> None:
    queue = GroupQueue()
    queue.put([entry(0), entry(1)])
    queue.put([entry(2)])
    queue.end()
    assert groups(queue) == [[0, 1, 2]]
    assert queue.take(5) is None


def test_a_group_has_its_measure_and_what_is_left_comes_first() -> None:
    queue = GroupQueue()
    queue.put([entry(number, MEGABYTE) for number in range(7)])
    queue.put([entry(7), entry(8, 5 * MEGABYTE), entry(9)])
    queue.end()
    assert groups(queue) == [[0, 1, 2, 3], [4, 5, 6, 7, 8], [9]]


def test_nothing_came() -> None:
    queue = GroupQueue()
    group = queue.take(0.01)
    assert group is not None
    assert group.entries == []
