"""Where an offset's receipt stands in the topic, so that `ochn trace` reads a few records and not all.

Sparse: a row in ten seconds of a partition, from which to read on; and one for each event that was settled after it had
been parked, which no stretch tells. It stands in the destination's SQLite store and may lag or lack rows (another host
wrote them): then a trace reads the topic from the event's time.
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from base.database import look_into
from eventlog.log import Position
from forwarder.keeping.receipts import Receipt
from forwarder.keeping.store import Store

EVERY_SECONDS: Final = 10.0
KEPT_SECONDS: Final = 14 * 86_400.0


@dataclass(slots=True)
class ReceiptIndex:
    """`topic` is the receipts'."""

    topic: str
    store: Store
    _noted: dict[int, float] = field(default_factory=dict)  # partition -> when its last row was made
    _cleared: float = 0.0

    def begin(self, partition: int) -> None:
        """Its next receipt has a row: what is told from here on may have been told before."""
        self._noted.pop(partition, None)

    def note(self, receipt: Receipt, position: Position, now: float) -> None:
        """`now` in seconds since the epoch. A receipt that waits in the spool has no place yet, and gets no row."""
        if position.topic != self.topic:
            return
        if not receipt.single:
            if now - self._noted.get(receipt.partition, 0.0) < EVERY_SECONDS:
                return
            self._noted[receipt.partition] = now
        place = (position.partition, position.offset, now)
        firsts = receipt.offsets or (receipt.first_offset,)
        rows = [(receipt.partition, receipt.single, first, *place) for first in firsts]
        self.store.write_soon("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)", *rows)
        if now - self._cleared > KEPT_SECONDS / 100:
            self._cleared = now
            self.store.write_soon("DELETE FROM receipts WHERE at < ?", (now - KEPT_SECONDS,))


@dataclass(frozen=True, slots=True)
class Place:
    """Of a record in the receipts' topic. `exact`: the event's own; else where to begin to read."""

    partition: int
    offset: int
    exact: bool


def find_place(database: Path, partition: int, offset: int) -> Place | None:
    """For an event's offset; None when this host has no row for it. Beside a forwarder that writes there."""
    query = (
        "SELECT topic_part, place FROM receipts WHERE part = ? AND single = ? AND first {} ?"
        " ORDER BY first DESC, rowid DESC LIMIT 1"
    )
    if not database.is_file():
        return None
    with (
        suppress(sqlite3.OperationalError),  # made by an earlier version, without the table
        look_into(database) as connection,
    ):
        for single, compared in ((True, "="), (False, "<=")):
            row = connection.execute(query.format(compared), (partition, single, offset)).fetchone()
            if row is not None:
                return Place(row[0], row[1], single)
    return None
