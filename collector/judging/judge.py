"""Fields to Event and verdict: pure but for the ids it is given the source of."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Self

from msgspec.structs import replace

from base.reasons import Quarantine, Warned
from base.values import Value
from collector.calls import Call
from collector.judging.checks import check, send_kind
from collector.judging.fields import canonical_names, fold_lead, straighten
from collector.judging.identity import Identity
from collector.judging.keys import AppKey
from collector.judging.moments import Moments, moments
from collector.judging.remarks import Remark, reasons_of
from collector.judging.signals import with_told
from collector.judging.visitor import find_visitor, read_id
from eventlog.event import Event

_BY_CONTENT: Final = frozenset({"send", "sensors", "geo"})


class Envelope(Value, frozen=True):
    """What all events of one request share. `received` in seconds since the epoch; `event` as far as they are the same."""

    key: AppKey
    received: float
    cookies: Mapping[str, str]
    event: Event
    remarks: tuple[Remark, ...] = ()  # on all of them


class Sent(Value, frozen=True):
    """One event as it was sent. `faults`: why its fields can't be kept; `source`: its body, or its part of a batch."""

    call: Call
    id: str
    fields: Mapping[str, Any]
    source: Any
    faults: tuple[Remark, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def of(self, visitor: str) -> Self:
        """With that visitor's id, unless it has one: an init asks for its own."""
        if self.call.kind == "init" or any(self.fields.get(name) for name in ("uid", "mid", "pid")):
            return self
        return self._replace(fields={**self.fields, "uid": visitor})

    def raw(self) -> bytes:
        """The bytes as they came; of a batch's event the JSON that holds all of it, what is no Unicode escaped."""
        return self.source if isinstance(self.source, bytes) else json.dumps(self.source).encode()


class Verdict(Value, frozen=True):
    """An Event ready for the log, what there is to say about it, and what an init is answered.

    `reasons`: the remarks that hold it back, as the event names them too.
    """

    event: Event
    remarks: tuple[Remark, ...]
    reasons: tuple[Quarantine, ...]
    answer: Mapping[str, str]


def judge(sent: Sent, envelope: Envelope, identity: Identity, most_sensors: int) -> Verdict:
    call, key, shared = sent.call, envelope.key, envelope.event
    data, remarks = _straightened(sent, envelope)
    kind = kind_by_content(call, data)
    if kind != call.kind:
        remarks.append(Remark(Warned.REROUTED, shared.door))
    visitor = find_visitor(call, data, envelope.cookies, identity, key.tenant)
    name = send_kind(data) if kind == "send" else kind
    if not sent.faults:
        remarks += (*visitor.remarks, *check(name, data, most_sensors))
    when = moments(data.get("ts"), data.get("sentAt"), envelope.received, shared.receivedtime)
    if when.bad:
        remarks.append(Remark(Warned.BAD_CLIENT_TIME, "ts, sentAt"))
    reasons = reasons_of(remarks) if remarks else ()
    event = replace(  # not `_replace`: for every event, and that takes three times as long
        shared,
        id=sent.id,
        type=f"ochn.{call.surface}.{name}",
        subject=visitor.subject or sent.id,
        time=when.time,
        clienteventid=_client_id(data) if "eid" in data else None,
        clienttime=when.client,
        senttime=when.sent,
        person=visitor.person,
        rerouted=kind != call.kind,
        foreignid=visitor.foreign,
        consent=with_told(shared.consent, data) if "consent" in data else shared.consent,
        quarantinereasons=",".join(reasons) or None,
        data={} if sent.faults else _without_times(data, when),
        data_base64=base64.b64encode(sent.raw()).decode() if sent.faults else None,
    )
    event = event if key.privacy is None else key.privacy.applied(event, identity)
    return Verdict(event, tuple(remarks), reasons, visitor.answer)


def _straightened(sent: Sent, envelope: Envelope) -> tuple[dict[str, Any], list[Remark]]:
    data = fold_lead(sent.fields) if sent.call.kind == "register" else canonical_names(sent.fields)
    remarks = [*sent.faults, *sent.remarks]
    if sent.call.surface not in envelope.key.surfaces:
        remarks.append(Remark(Quarantine.WRONG_SURFACE, envelope.event.door))
    remarks += envelope.remarks
    if not sent.faults:
        remarks += straighten(data)
    return data, remarks


def kind_by_content(call: Call, data: Mapping[str, Any]) -> str:
    """Mobile bodies come to each other's doors, from the vendor's own samples: what they hold says what they are."""
    if call.surface == "web" or call.kind not in _BY_CONTENT:
        return call.kind
    is_send = "actionType" in data or "requestType" in data
    if is_send and call.kind == "send":
        return "send"
    if "sensors" in data:
        return "sensors"
    if "lat" in data and "lon" in data:
        return "geo"
    return "send" if is_send else call.kind


def _client_id(data: dict[str, Any]) -> str | None:
    """Taken out of `data`, when it can be one."""
    clienteventid = read_id(data.get("eid"))
    if clienteventid:
        del data["eid"]
    return clienteventid or None


def _without_times(data: dict[str, Any], when: Moments) -> dict[str, Any]:
    """A time that could not be read stays as it came."""
    if "ts" not in data and "sentAt" not in data:
        return data
    for name, read in (("ts", when.client), ("sentAt", when.sent)):
        if read is not None or data.get(name, "") in (None, ""):
            data.pop(name, None)
    return data
