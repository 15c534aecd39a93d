"""Every call, durable before it is answered: one JSON line each, flushed to the disk a group at a time.

What was answered before a kill -9 stands in the file, so that what we sent can be reconciled with what arrived.
"""

import asyncio
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from base.errors import StartError


@dataclass(slots=True)
class _Shelf:
    """One destination's calls: where its lines stand in the file, and their sums. Call n is at index n - 1."""

    offsets: "array[int]" = field(default_factory=lambda: array("Q"))
    lengths: "array[int]" = field(default_factory=lambda: array("I"))
    sums: Counter[str] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)

    def put(self, offset: int, length: int, call: Mapping[str, Any]) -> None:
        self.offsets.append(offset)
        self.lengths.append(length)
        self.by_path[call["path"]] += 1
        self.by_status[str(call["status"])] += 1
        self.sums.update(calls=1, events=call["events"], dropped=call["dropped"])

    def counts(self) -> dict[str, Any]:
        sums = {name: self.sums[name] for name in ("calls", "events", "dropped")}
        return {**sums, "by_path": dict(self.by_path), "by_status": dict(self.by_status)}


@dataclass(slots=True)
class _Group:
    durable: asyncio.Future[None]
    calls: list[tuple[Mapping[str, Any], bytes]] = field(default_factory=list)


class Calls:
    """`<data_dir>/sandbox/calls.jsonl`; whoever opens it holds the data directory's lock."""

    def __init__(self, data_dir: Path, destinations: tuple[str, ...]) -> None:
        self._path = data_dir / "sandbox" / "calls.jsonl"
        self._shelves = {name: _Shelf() for name in destinations}
        self._group: _Group | None = None
        self._writing: asyncio.Task[None] | None = None
        self._descriptor = -1
        self._size = 0

    def open(self) -> None:
        """Takes up the numbers where the last process left them. StartError for a file that is not one of calls."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    break  # torn by a kill: its caller never had an answer
                self._take_up(line, number)
        os.ftruncate(self._descriptor, self._size)

    def _take_up(self, line: bytes, number: int) -> None:
        try:
            call = orjson.loads(line)
            self._shelf(call["destination"]).put(self._size, len(line), call)
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise StartError(
                f"Line {number} of {self._path} is no call of the sandbox.", "Move the file away, or mend the line."
            ) from error
        self._size += len(line)

    def _shelf(self, destination: str) -> _Shelf:
        return self._shelves.setdefault(destination, _Shelf())

    async def close(self) -> None:
        if self._writing is not None:
            await self._writing
        os.close(self._descriptor)

    async def keep(self, call: Mapping[str, Any]) -> None:
        """Returns once `call` is on the disk; it gets its `n` there. OSError when it can't be written, and
        orjson.JSONEncodeError when it is nested deeper than JSON is written here."""
        encoded = orjson.dumps(call, option=orjson.OPT_APPEND_NEWLINE)
        if self._group is None:
            self._group = _Group(asyncio.get_running_loop().create_future())
        group = self._group
        group.calls.append((call, encoded))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_groups())
        await asyncio.shield(group.durable)

    async def _write_groups(self) -> None:
        """While one group is flushed, those who come form the next."""
        while self._group is not None:
            group, self._group = self._group, None
            lines = list(self._numbered(group.calls))
            try:
                await asyncio.to_thread(self._append, b"".join(lines))
            except OSError as error:
                group.durable.set_exception(error)
                continue
            for (call, _), line in zip(group.calls, lines, strict=True):
                self._shelf(call["destination"]).put(self._size, len(line), call)
                self._size += len(line)
            group.durable.set_result(None)
        self._writing = None

    def _numbered(self, calls: list[tuple[Mapping[str, Any], bytes]]) -> Iterator[bytes]:
        last = {name: len(shelf.offsets) for name, shelf in self._shelves.items()}
        for call, encoded in calls:
            last[call["destination"]] += 1
            yield b'{"n":%d,' % last[call["destination"]] + encoded[1:]

    def _append(self, lines: bytes) -> None:
        """At the known end, over whatever a failed write left there."""
        view, offset = memoryview(lines), self._size
        while view:
            written = os.pwrite(self._descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.fdatasync(self._descriptor)

    def received(self, destination: str, after: int, limit: int) -> bytes:
        """A JSON list of the calls with n > `after`, at most `limit`, in order."""
        shelf = self._shelves[destination]
        places = zip(shelf.offsets[after : after + limit], shelf.lengths[after : after + limit], strict=True)
        return b"[" + b",".join(os.pread(self._descriptor, length - 1, offset) for offset, length in places) + b"]"

    def counts(self) -> dict[str, Any]:
        return {name: shelf.counts() for name, shelf in self._shelves.items()}
