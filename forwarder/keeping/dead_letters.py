"""Events that a destination will not have, with all that is needed to see why, and to try again.

A dead letter is in the log before the event's offset may be committed. Its key is `<event id>:<destination>`, and of one
that is refused when it is sent again also its place in the log: a tombstone of that key takes it back, and who sends an
event again writes the tombstone after it, when it may have been refused already.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import orjson

from base.clock import Clock, rfc3339
from base.errors import OchnError
from base.logs import Logger
from base.reasons import Dead
from eventlog.errors import AppendError
from eventlog.event import RECORD_HEADERS, Event
from eventlog.log import Record, StoredRecord
from forwarder.errors import TransportError
from forwarder.keeping.durable import Durable
from forwarder.secrets import Cutter
from forwarder.work import Evidence, Work

BODY_LIMIT: Final = 64 * 1024  # characters kept of a body, of the request as of the reply
DESTINATION_HEADER: Final = "ochn-destination"  # of a record that is meant for one destination alone


class NotReplayable(OchnError):
    """The record never was an event, so there is nothing to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`id` is the event's; of a record that is no event, `<partition>-<offset>`, and `raw` holds its bytes in base64.
    `request` is {method, url, headers, body} with secrets masked; `reply` {status, headers, body} or {error}. Times
    are RFC 3339. `again`: the event was sent again."""

    id: str
    destination: str
    reason: str
    at: str
    detail: str = ""
    event: Mapping[str, Any] | None = None
    raw: str | None = None
    partition: int = 0
    offset: int = 0
    request: Mapping[str, Any] | None = None
    reply: Mapping[str, Any] | None = None
    attempts: int = 0
    first_attempt: str | None = None
    again: bool = False

    @property
    def key(self) -> bytes:
        return letter_key(self.id, self.destination, (self.partition, self.offset) if self.again else None)

    def to_record(self, topic: str, timestamp: float) -> Record:
        return Record(topic, self.key, orjson.dumps(asdict(self)), timestamp)

    def replay(self, topic: str, timestamp: float) -> Record:
        """The event again, for this destination alone (the others' relays pass over it)."""
        if self.event is None:
            raise NotReplayable(f"{self.id}: the record was never an event")
        event = Event.from_bytes(orjson.dumps(self.event))._replace(replayed=True)
        headers = (*RECORD_HEADERS, (DESTINATION_HEADER, self.destination.encode()))
        return event.to_record(topic, timestamp)._replace(headers=headers)

    @classmethod
    def from_bytes(cls, body: bytes) -> "DeadLetter":
        """What a newer version added is passed over."""
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in orjson.loads(body).items() if name in known})


def letter_key(event_id: str, destination: str, again: tuple[int, int] | None) -> bytes:
    """`again`: partition and offset of what was sent again."""
    place = "" if again is None else ":{}-{}".format(*again)
    return f"{event_id}:{destination}{place}".encode()


@dataclass(slots=True, kw_only=True, eq=False)
class DeadLetters:
    """One destination's way into the topic."""

    destination: str
    topic: str
    durable: Durable
    cutter: Cutter
    clock: Clock
    log: Logger

    async def put(self, work: Work, reason: str, detail: str, evidence: Evidence | None) -> None:
        now = self.clock.now()
        letter = DeadLetter(
            id=work.event.id,
            destination=self.destination,
            reason=reason,
            at=rfc3339(now),
            detail=self.cutter.text(detail),
            event=work.event.to_dict(),
            partition=work.partition,
            offset=work.offset,
            request=None if evidence is None else _request(evidence, self.cutter),
            reply=None if evidence is None else _reply(evidence, self.cutter),
            attempts=work.attempts,
            first_attempt=None if work.first_attempt is None else rfc3339(work.first_attempt),
            again=work.event.replayed,
        )
        await self._put(letter, now)

    async def put_unreadable(self, record: StoredRecord, detail: str) -> None:
        now = self.clock.now()
        letter = DeadLetter(
            id=f"{record.position.partition}-{record.position.offset}",
            destination=self.destination,
            reason=Dead.UNREADABLE_RECORD,
            at=rfc3339(now),
            detail=detail,
            raw=b64encode(record.value or b"").decode(),
            partition=record.position.partition,
            offset=record.position.offset,
        )
        await self._put(letter, now)

    async def _put(self, letter: DeadLetter, now: float) -> None:
        try:
            await self.durable.put(letter.to_record(self.topic, now))
        except AppendError as error:
            self.log.warning("dead_letter.shortened", id=letter.id, partition=letter.partition, offset=letter.offset)
            detail = f"{letter.detail} (kept without its contents: {error})"
            short = replace(letter, event=None, raw=None, request=None, reply=None, detail=detail)
            await self.durable.put(short.to_record(self.topic, now))


def _request(evidence: Evidence, cutter: Cutter) -> dict[str, Any]:
    request = evidence.request
    return {
        "method": request.method,
        "url": cutter.text(request.url),
        "headers": cutter.headers(request.headers),
        "body": _body(request.body, cutter),
    }


def _reply(evidence: Evidence, cutter: Cutter) -> dict[str, Any]:
    reply = evidence.reply
    if isinstance(reply, TransportError):
        return {"error": f"{type(reply).__name__}: {cutter.text(str(reply))}"}
    return {"status": reply.status, "headers": cutter.headers(reply.headers), "body": _body(reply.body, cutter)}


def _body(body: bytes, cutter: Cutter) -> str:
    return cutter.text(body.decode("utf-8", "replace"))[:BODY_LIMIT]
