"""Offsets and receipts of the partitions that this process holds, and the outcomes that settle them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from base.clock import Clock
from eventlog.log import StoredRecord
from forwarder.destinations.base import Outcome, parked
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.durable import Durable
from forwarder.keeping.offsets import Offsets
from forwarder.keeping.receipt_index import ReceiptIndex
from forwarder.keeping.receipts import Receipt, Stretch, Told, single
from forwarder.work import Work


@dataclass(slots=True)
class _Partition:
    offsets: Offsets
    stretch: Stretch
    out: int = 0  # events taken, and their offset not committed
    committing: int = 0  # of these, those that the next commit is past
    note: str = ""  # that was committed last
    head: Work | None = None  # what holds it up, and since when (monotonic)
    head_since: float = 0.0
    works: dict[int, Work] = field(default_factory=dict)

    @property
    def first(self) -> Work | None:
        """The first that is not settled: what the committed offset waits for."""
        return self.works.get(self.offsets.committable)


COMMIT_EVENTS: Final = 1000


class Ledger:
    """One destination's. `index` finds its receipts again, `ahead` what was settled and not committed. `window`: the
    most events of a partition that are out."""

    def __init__(
        self, destination: str, index: ReceiptIndex, ahead: Ahead, *, durable: Durable, clock: Clock, window: int
    ) -> None:
        self._destination = destination
        self._index = index
        self._ahead = ahead
        self._durable = durable
        self._clock = clock
        self._window = window
        self._enough = min(COMMIT_EVENTS, max(1, window // 2))
        self._partitions: dict[int, _Partition] = {}
        self.waiting = 0  # events taken and not settled
        self.waiting_bytes = 0
        self.uncommitted = 0  # events settled since the last commit
        self.due = asyncio.Event()  # so many that others wait for room

    def ends(self) -> dict[int, int]:
        """partition -> the first offset that is not settled."""
        return {number: partition.offsets.committable for number, partition in self._partitions.items()}

    @property
    def partitions(self) -> frozenset[int]:
        return frozenset(self._partitions)

    def room(self, partition: int) -> int:
        """How many more events may be taken: all that are out, a crash may send again."""
        return self._window - self._partitions[partition].out

    def holds(self, work: Work) -> bool:
        """It is not settled, and ours to settle."""
        held = self._partitions.get(work.partition)
        return held is not None and held.works.get(work.offset) is work

    def first_waiting(self) -> list[Work]:
        """Of each partition the first that is not settled, where there is one."""
        return [first for held in self._partitions.values() if (first := held.first) is not None]

    def heads(self, now: float) -> list[tuple[Work, float]]:
        """What the committed offset of a partition without room waits for while others behind it are settled, and
        since when it was seen to."""
        found = []
        for held in self._partitions.values():
            if held.out < self._window or not held.offsets.ahead:
                held.head = None
                continue
            head = held.first
            if head is not held.head:
                held.head, held.head_since = head, now
            if head is not None and not head.aside:
                found.append((head, held.head_since))
        return found

    def assign(self, partition: int, start: int, note: str = "") -> None:
        """`note` was committed with `start`."""
        self.revoke(partition)
        self._partitions[partition] = _Partition(Offsets(start), Stretch(start))
        self._index.begin(partition)
        self._ahead.committed(partition, start)
        self._ahead.hear(partition, start, note)

    def revoke(self, partition: int) -> None:
        """What is under way of it counts no more, here."""
        gone = self._partitions.pop(partition, None)
        for work in gone.works.values() if gone else ():
            work.live = False
            self._leave(work)

    def take(self, partition: int, records: Sequence[StoredRecord], works: Sequence[Work], end: int) -> list[Work]:
        """`works` are those of the records that are this destination's to settle; the others are settled by this, and
        so is what was settled here before. Those that are left."""
        held = self._partitions[partition]
        offsets = [record.position.offset for record in records]
        held.offsets.take(offsets, end)
        held.works.update([(work.offset, work) for work in works])
        held.out += len(works)
        self.waiting += len(works)
        self.waiting_bytes += sum([work.size for work in works])
        if len(works) < len(offsets):
            for offset in offsets:
                if offset not in held.works:
                    held.offsets.settle(offset)
        return [work for work in works if not self._is_settled(held, work)]

    def _is_settled(self, held: _Partition, work: Work) -> bool:
        told = self._ahead.told(work)
        if told is not None:
            self._settle(held, work, told)
        return told is not None

    def lose(self, partition: int, first: int, end: int, cause: str) -> None:
        """A hole in the log."""
        held = self._partitions[partition]
        held.offsets.take((), end)
        held.stretch.lose(first, end, cause)

    def settle(self, works: Iterable[Work], outcome: Outcome, answer: int | None = None) -> list[Work]:
        """Those of `works` that waited here. `answer` is the HTTP status of the reply that settled them."""
        settled = []
        for work in works:
            held = self._partitions.get(work.partition)
            if held is not None and held.works.get(work.offset) is work:
                self._settle(held, work, (work.event.id, outcome, answer))
                settled.append(work)
        if outcome.kind != "filtered":
            self._ahead.add(settled, outcome, answer)
        return settled

    def _settle(self, held: _Partition, work: Work, told: Told) -> None:
        offset = work.offset
        del held.works[offset]
        self._leave(work)
        self.uncommitted += 1
        if self.uncommitted == self._enough:
            self.due.set()
        held.stretch.add(offset, told)
        held.offsets.settle(offset)

    def remember(self, works: Iterable[Work], outcome: Outcome, answer: int | None) -> None:
        """They were delivered when their partition had gone."""
        self._ahead.add(works, outcome, answer)

    def remembers(self, work: Work) -> bool:
        told = self._ahead.told(work)
        return told is not None and told[1].kind == "delivered"

    def recall(self, standing: Iterable[Work]) -> None:
        """Of a partition that was just assigned, those that are parked. Where a kill, or the loss of the partition, came
        before the offset of one was told of, it is settled all the same: else it would go out twice, and once after what
        follows it."""
        for work in standing:
            if self._ahead.told(work) is None and work.waiting is not None:
                self._ahead.add([work], parked(work.waiting.reason), None)
        self._ahead.write()

    def write(self) -> None:
        """What has been settled is known after a crash."""
        self._ahead.write()

    async def settle_parked(self, works: Sequence[Work], outcome: Outcome, answer: int | None = None) -> None:
        """The end of events whose offsets were told of when they were parked."""
        self._ahead.add(works, outcome, answer)
        now = self._clock.now()
        for receipt in single(works, outcome, answer, self._destination, now):
            await self._tell(receipt, now)

    def _leave(self, work: Work) -> None:
        self.waiting -= 1
        self.waiting_bytes -= work.size

    async def committable(self) -> dict[int, int]:
        """partition -> offset to commit, for those of which there is news; their receipts are durable."""
        self.uncommitted = 0
        self.due.clear()
        moved = {}
        for number, held in list(self._partitions.items()):
            end, now, untold = held.offsets.committable, self._clock.now(), held.stretch.untold
            receipt = held.stretch.cut(end, self._destination, number, now)
            held.committing += untold - held.stretch.untold
            if await self._tell(receipt, now) or held.note != self._ahead.note(number, end):
                moved[number] = end
        return {number: end for number, end in moved.items() if number in self._partitions}

    def note(self, partition: int, offset: int) -> str:
        """What to commit with it: of what is settled beyond, all that another host would need to know."""
        held = self._partitions.get(partition)
        if held is None:
            return ""
        held.note = self._ahead.note(partition, offset)
        return held.note

    def committed(self, partition: int, offset: int) -> None:
        """What `committable` said of it is durable."""
        if held := self._partitions.get(partition):
            held.out -= held.committing
            held.committing = 0
            self._ahead.committed(partition, offset)

    def close(self) -> None:
        self._ahead.write()
        self._ahead.close()

    async def _tell(self, receipt: Receipt | None, now: float) -> bool:
        if receipt is None:
            return False
        position = await self._durable.put(receipt.to_record(self._index.topic, now))
        self._index.note(receipt, position, now)
        return True
