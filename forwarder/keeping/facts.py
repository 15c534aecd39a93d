"""What a destination has learned: read by its plans, durable before anything depends on it.

A fact's owner is the visitor whose events taught it, so that its changelog record (key: the owner; value: all of the
owner's facts) lands in the partition of those events, and compaction keeps what is known of each owner. A fact of
another scope is owned by that scope, and known to this host alone until it restarts.

The changelog comes first, then the SQLite store, then (bounded) memory: see store.py for why no kill can lose one.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast
from zlib import crc32

import orjson

from base.clock import Clock
from eventlog.erased import Erased
from eventlog.errors import AppendError
from eventlog.event import Event
from eventlog.log import LogScanner, Record, StoredRecord
from forwarder.destinations.base import Fact, visitor_key
from forwarder.keeping.durable import Durable
from forwarder.keeping.store import GROUP, Statement, Store, catch_up, taken_in

CACHED_OWNERS: Final = 20_000
SEEN_SECONDS: Final = 86_400.0  # so exactly it is noted when an owner was last asked about
_READ_TOGETHER: Final = 500  # owners

Doc = Mapping[str, Mapping[str, Any]]  # fact key -> value


class FactStore:
    """One destination's. `topic` is its changelog's name."""

    def __init__(
        self, topic: str, store: Store, durable: Durable, scanner: LogScanner, clock: Clock, *, erased: Erased
    ) -> None:
        self._topic = topic
        self._erased = erased
        self._store = store
        self._durable = durable
        self._scanner = scanner
        self._clock = clock
        self._cache: OrderedDict[str, Doc] = OrderedDict()
        self._unwritten: dict[str, Doc] = {}
        self._secrets: dict[str, tuple[Mapping[str, Any], int]] = {}
        self._appending: set[asyncio.Future[None]] = set()
        self.stamp = 0  # of the newest secret fact

    def view(self, events: Iterable[Event]) -> "View":
        visitors = {visitor_key(event): event.subject for event in events}
        self._read_ahead(visitors.values())
        return View(self, visitors)

    def _read_ahead(self, owners: Iterable[str]) -> None:
        """What is not in memory, in few queries: a batch has a thousand visitors."""
        unwritten, cache = self._unwritten, self._cache
        missing = [owner for owner in dict.fromkeys(owners) if owner not in cache and owner not in unwritten]
        for first in range(0, len(missing), _READ_TOGETHER):
            chosen = missing[first : first + _READ_TOGETHER]
            marks = ",".join("?" * len(chosen))
            rows = self._store.read(f"SELECT owner, doc, seen FROM facts WHERE owner IN ({marks})", chosen)  # noqa: S608 - marks
            found = {owner: self._seen(owner, doc, seen) for owner, doc, seen in rows}
            for owner in chosen:
                self._remember(owner, found.get(owner, {}))

    def secret(self, key: str) -> Mapping[str, Any] | None:
        return self._secrets[key][0] if key in self._secrets else None

    def secret_values(self) -> list[str]:
        return [text for value, _ in self._secrets.values() for text in value.values() if isinstance(text, str)]

    def doc(self, owner: str) -> Doc:
        if owner in self._unwritten:
            return self._unwritten[owner]
        if owner in self._cache:
            self._cache.move_to_end(owner)
            return self._cache[owner]
        rows = self._store.read("SELECT doc, seen FROM facts WHERE owner = ?", (owner,))
        found: Doc = self._seen(owner, *rows[0]) if rows else {}
        self._remember(owner, found)
        return found

    def _seen(self, owner: str, doc: bytes, seen: float) -> Doc:
        now, found = self._store.now(), orjson.loads(doc)
        if now - seen > SEEN_SECONDS:
            self._store.write_soon("UPDATE facts SET seen = ? WHERE owner = ?", (now, owner))
        return cast("Doc", found)

    async def put(self, facts: Sequence[Fact], events: Iterable[Event], stamp: int | None = None) -> bool:
        """Durable when it returns; True when anything changed. `stamp` is the store's when the call was planned: a
        token that was refused then is not forgotten when a newer one stands here by now."""
        if not facts:
            return False
        changed = False
        docs: dict[str, dict[str, Any]] = {}
        view = self.view(events)
        for fact in facts:
            if fact.secret:
                changed |= self._put_secret(fact, stamp)
            elif view.get(fact.key) != fact.value:
                owner = view.owner(fact.key)
                doc = docs.setdefault(owner, dict(self.doc(owner)))
                doc[fact.key] = fact.value
        known = {owner: {key: value for key, value in doc.items() if value is not None} for owner, doc in docs.items()}
        self._unwritten.update(known)  # at once: the next change of these owners builds on it
        await asyncio.gather(*(self._write(owner, doc) for owner, doc in known.items()))
        return changed or bool(docs)

    def _put_secret(self, fact: Fact, stamp: int | None) -> bool:
        known = self._secrets.get(fact.key)
        if fact.value is not None:
            self.stamp += 1
            self._secrets[fact.key] = (fact.value, self.stamp)
            return True
        if known is None or (stamp is not None and known[1] > stamp):
            return False
        del self._secrets[fact.key]
        return True

    async def _write(self, owner: str, doc: Doc) -> None:
        body = orjson.dumps(doc) if doc else None
        appending = asyncio.get_running_loop().create_future()
        self._appending.add(appending)
        try:
            await self._durable.put(Record(self._topic, owner.encode(), body, self._clock.now()))
        except AppendError:
            await self._store.settled()  # what was known before is read from there again
            self._unwritten.pop(owner, None)
            self._cache.pop(owner, None)
            raise
        finally:
            self._appending.remove(appending)
            appending.set_result(None)
        written = self._store.write_soon(*_statement(owner, body, self._store.now()))
        written.add_done_callback(lambda _: self._written(owner, doc))
        if len(self._unwritten) > GROUP:
            await written

    def _written(self, owner: str, doc: Doc) -> None:
        if self._unwritten.get(owner) is doc:
            del self._unwritten[owner]
            self._remember(owner, doc)

    def _remember(self, owner: str, doc: Doc) -> None:
        self._cache[owner] = doc
        self._cache.move_to_end(owner)
        if len(self._cache) > CACHED_OWNERS:
            self._cache.popitem(last=False)

    async def restore(self, partition: int) -> None:
        """Before the first event of a partition that was just assigned: another host may have taught it since."""
        await self._store.settled()
        await catch_up(self._store, self._scanner, self._topic, partition, self._apply)
        self._cache.clear()

    def _apply(self, record: StoredRecord) -> list[Statement]:
        owner = record.key.decode()
        body = None if self._erased.forgets(owner, record.timestamp) else record.value
        return [_statement(owner, body, self._store.now())]

    async def forget(self, owners: Sequence[str]) -> None:
        """All that is known of them, in the changelog too. Nothing of theirs may be under way."""
        for first in range(0, len(owners), GROUP):
            chosen: dict[str, Doc] = {owner: {} for owner in owners[first : first + GROUP]}
            self._unwritten.update(chosen)
            await asyncio.gather(*(self._write(owner, doc) for owner, doc in chosen.items()))
        await self._store.settled()

    async def unseen(self, since: float) -> list[str]:
        """Owners whom nobody has asked about since then (the store's own time), as this host knows. What is in memory
        is read anew afterwards, and so noted as seen."""
        self._cache.clear()
        return [owner for (owner,) in await self._store.look("SELECT owner FROM facts WHERE seen < ?", (since,))]

    async def drop(self, owners: Sequence[str]) -> None:
        """From here alone: another host holds their partition."""
        for owner in owners:
            self._store.write(*_statement(owner, None, 0.0))
        await self._store.settled()

    async def partition_of(self) -> Callable[[str], int]:
        """Where an owner's events are: the changelog is partitioned as they."""
        partitions = max(1, len(await self._scanner.bounds(self._topic)))
        return lambda owner: crc32(owner.encode()) % partitions

    async def checkpoint(self, partitions: Iterable[int]) -> None:
        """Notes how far the store holds the changelog, so that the next restore has little to read. Everything below
        the bounds read here was appended before, by us: once that is settled and in the store, it can be noted."""
        bounds = await self._scanner.bounds(self._topic)
        if self._appending:
            await asyncio.wait(self._appending.copy())
        await self._store.settled()
        for partition in partitions:
            if partition in bounds:
                await taken_in(self._store, self._topic, partition, bounds[partition][1])


class View:
    """The facts as a plan for some events sees them (forwarder.destinations.base.Facts)."""

    def __init__(self, store: FactStore, visitors: Mapping[str, str]) -> None:
        self._store = store
        self._visitors = visitors

    def get(self, key: str) -> Mapping[str, Any] | None:
        secret = self._store.secret(key)
        return secret if secret is not None else self._store.doc(self.owner(key)).get(key)

    def owner(self, key: str) -> str:
        scope = outer = key.rpartition("/")[0]
        if scope in self._visitors:  # most are a visitor's own
            return self._visitors[scope]
        while outer not in self._visitors and "/" in outer:
            outer = outer.rpartition("/")[0]
        return self._visitors.get(outer, scope)


def _statement(owner: str, body: bytes | None, now: float) -> Statement:
    if body is None:
        return "DELETE FROM facts WHERE owner = ?", (owner,)
    return "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (owner, body, now)
