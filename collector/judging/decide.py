"""An arrival to a decision, without I/O: `take` acts on it, `ochn explain` prints it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from base.clock import rfc3339
from base.ids import IdSource
from base.reasons import Quarantine, Refusal
from base.values import Value
from collector.arrival import Arrival
from collector.calls import Call, call_of
from collector.decode import Decoded, body_limits, decode
from collector.errors import Refused
from collector.judging.batch import entry_of
from collector.judging.bots import Bots
from collector.judging.identity import Identity
from collector.judging.judge import Envelope, Sent, judge
from collector.judging.keys import AppKey, Keys
from collector.judging.oversize import Fitted, fit
from collector.judging.rates import Rates
from collector.judging.remarks import Remark
from collector.judging.signals import consent, read_cookies
from collector.limits import REFUSED
from collector.routes import find_tracking
from collector.settings import LimitSettings
from eventlog.event import Event

_METHODS: Final = frozenset({"POST", "PUT"})
_GZIP: Final = b"\x1f\x8b"


class Decision(Value, frozen=True):
    """`judged` in the order they came; `fields` as decoded, for `explain` and for calls that make no event."""

    arrival: Arrival
    call: Call
    envelope: Envelope
    fields: Mapping[str, Any]
    judged: list[Fitted]

    @property
    def key(self) -> AppKey:
        return self.envelope.key


class Decider:
    def __init__(
        self,
        limits: LimitSettings,
        identity: Identity,
        ids: IdSource,
        keys: Callable[[], Keys],
        *,
        rates: Rates,
        bots: Callable[[], Bots],
    ) -> None:
        self._limits = limits
        self._identity = identity
        self._ids = ids
        self._rates = rates
        self._keys = keys  # asked at each request: they reload
        self._bots = bots  # so do their rules
        self._body_limits = {name: body_limits(limits, name) for name in ("call", "batch", "lead")}

    def decide(self, arrival: Arrival) -> Decision:
        """Refused: unknown path or method, a body that can't be read, an app key that nobody has, far above a rate."""
        route = find_tracking(arrival.path)
        if route is None:
            raise Refused(Refusal.NOT_FOUND)
        if arrival.method not in _METHODS:
            raise Refused(Refusal.WRONG_METHOD)
        call = call_of(route)
        decoded = decode(arrival.headers, arrival.body, self._body_limits[route.body])
        key = self._find_key(arrival, decoded.fields)
        overrate = self._rates.over(call, key, arrival.client, decoded.fields)
        botrule = self._bots().rule(call.surface, key.name, arrival.client, arrival.headers)
        envelope = _envelope(arrival, key, overrate=overrate, botrule=botrule)
        judged = self._judged(self._events(call, arrival, decoded), envelope)
        return Decision(arrival, call, envelope, decoded.fields, judged)

    def _judged(self, events: Iterable[Sent], envelope: Envelope) -> list[Fitted]:
        """In a batch, what names no visitor is of the one whom the init before it was answered."""
        answered = ""
        judged = []
        for sent in events:
            named = sent.of(answered) if answered else sent
            verdict = judge(named, envelope, self._identity, self._limits.sensors)
            answered = next(iter(verdict.answer.values())) if verdict.answer else answered
            judged.append(fit(verdict, named if envelope.key.privacy is None else None))
        return judged

    def _find_key(self, arrival: Arrival, fields: Mapping[str, Any]) -> AppKey:
        """In the body or in the header: either alone is enough, and a known one in either is."""
        keys = self._keys()
        for value in (fields.get("appkey"), fields.get("appKey"), arrival.headers.get("appkey")):
            key = keys.find(value) if isinstance(value, str) else None
            if key is not None:
                return key
        raise Refused(self._rates.stranger(arrival.client), _mistaken(arrival))

    def _events(self, call: Call, arrival: Arrival, decoded: Decoded) -> list[Sent]:
        faults = tuple(map(Remark, decoded.faults)) if decoded.faults else ()
        if call.kind == "prepopulate":
            return []
        if call.kind != "batch":
            return [Sent(call, arrival.event_id, decoded.fields, decoded.body, faults)]
        if faults and "events" not in decoded.fields:
            return [Sent(Call(call.surface, "send"), arrival.event_id, decoded.fields, decoded.body, faults)]
        return [
            entry_of(call, self._ids.event_id(arrival.received), entry, decoded, self._body_limits)
            for entry in self._entries(decoded.fields)
        ]

    def _entries(self, fields: Mapping[str, Any]) -> list[Any]:
        entries = fields.get("events")
        if not isinstance(entries, list) or not entries:
            raise Refused(Refusal.UNREADABLE_BODY, 'a batch is {"appkey": …, "events": [{"call": …}, …]}')
        if len(entries) > self._limits.batch_events:
            raise Refused(
                REFUSED["batch_events"], f"a batch holds up to {self._limits.batch_events} events: send several"
            )
        return entries


def _mistaken(arrival: Arrival) -> str:
    """Why no key may have been found though one was sent; "" for what nobody can guess."""
    if arrival.body.startswith(_GZIP) and "content-encoding" not in arrival.headers:
        return "The body is gzip: say so, with Content-Encoding: gzip."
    if arrival.body.lstrip()[:1] == b"{" and "urlencoded" in arrival.headers.get("content-type", ""):
        return "The body is JSON, and its Content-Type says that it is a form: send application/json."
    return ""


def _envelope(arrival: Arrival, key: AppKey, *, overrate: bool, botrule: str | None) -> Envelope:
    cookies, receivedtime = read_cookies(arrival.headers), rfc3339(arrival.received)
    origin = arrival.headers.get("origin")
    verdict, remarks = None, []
    if origin is not None:
        verdict = "allowed" if not key.origins or origin in key.origins else "denied"
    if verdict == "denied":
        remarks.append(Remark(Quarantine.WRONG_ORIGIN, origin or ""))
    if overrate:
        remarks.append(Remark(Quarantine.OVER_RATE))
    event = Event(
        id=arrival.event_id,
        type="",
        subject="",
        time=receivedtime,
        receivedtime=receivedtime,
        tenant=key.tenant,
        appkeyname=key.name,
        door=arrival.path.removesuffix("/"),
        consent=consent(arrival.headers, cookies),
        originverdict=verdict,
        clientaddress=arrival.client or None,
        useragent=arrival.headers.get("user-agent") or None,
        botrule=botrule,
    )
    return Envelope(key, arrival.received, cookies, event, tuple(remarks))
