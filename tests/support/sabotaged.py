"""`ochn dev` with one protection switched off: `python -m tests.support.sabotaged HOW …`, for the negative controls.

`commit_before_send`: the forwarder commits what it has taken, not what is settled. `answer_before_durable`: the
collector answers at once, and appends a moment later. A fault test that stays green on these tests nothing.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

import ochn.child
import ochn.cli
import ochn.tree
from eventlog.embedded.writer import EmbeddedWriter
from eventlog.log import Position, Record, Settled
from forwarder.offsets import Offsets

HOW = "SABOTAGE"
LATE = 0.5  # seconds


def commit_before_send() -> None:
    Offsets.committable = property(lambda self: self._end)  # type: ignore[assignment, method-assign]


def answer_before_durable() -> None:
    append = EmbeddedWriter.append

    def lies(self: EmbeddedWriter, records: Sequence[Record], settled: Settled) -> None:
        loop = asyncio.get_running_loop()
        for record in records:
            loop.call_soon(settled, record, Position(record.topic, 0, 0))
        loop.call_later(LATE, append, self, records, lambda *_: None)

    EmbeddedWriter.append = lies  # type: ignore[method-assign]


SABOTAGES: dict[str, Callable[[], None]] = {
    "commit_before_send": commit_before_send,
    "answer_before_durable": answer_before_durable,
}

if __name__ == "__main__":
    if HOW in os.environ:
        role = sys.argv[1]
        if (os.environ[HOW], role) in {("commit_before_send", "forwarder"), ("answer_before_durable", "collector")}:
            SABOTAGES[os.environ[HOW]]()
        sys.exit(ochn.child.main(sys.argv[1:]))
    os.environ[HOW] = sys.argv[1]
    ochn.tree.CHILD = "tests.support.sabotaged"
    ochn.cli.main(sys.argv[2:])
