"""Bodies that hold many events as a JSON list, within a vendor's limits."""

from collections.abc import Iterator, Sequence

from eventlog.event import Event

Encoded = tuple[Event, bytes]

_BRACKETS = len(b"[]")


def json_list(batch: Sequence[Encoded]) -> bytes:
    return b"[" + b",".join(encoded for _, encoded in batch) + b"]"


def batches(wanted: Sequence[Encoded], events: int, size: int) -> Iterator[list[Encoded]]:
    """In order; each of at most `events`, and of at most `size` bytes as a list unless one alone is larger."""
    batch: list[Encoded] = []
    taken = _BRACKETS
    for item in wanted:
        if batch and (len(batch) == events or taken + len(item[1]) + 1 > size):
            yield batch
            batch, taken = [], _BRACKETS
        batch.append(item)
        taken += len(item[1]) + 1
    if batch:
        yield batch
