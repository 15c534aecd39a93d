"""Events as they are, but for what is empty in them, to an address of one's own: a whole destination, in one file."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import orjson
from pydantic import Field, field_validator

from base.reasons import Dead, Filter
from base.urls import checked_url
from eventlog.event import Event
from forwarder.destinations.base import BatchPolicy, Call, Facts, Outcome, Plan, Verdict, dead, delivered, filtered
from forwarder.destinations.bodies import batches, json_list
from forwarder.destinations.kinds import ActivityKind, activity_kind
from forwarder.destinations.own import Kind
from forwarder.destinations.panel import PanelItem
from forwarder.destinations.replies import answered, said
from forwarder.destinations.settings import Credential, DestinationSettings
from forwarder.destinations.values import clean
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request

MAX_BYTES: Final = 1024 * 1024  # of a call's body
SPLITS: Final = frozenset({400, 413, 422})  # answers to a batch for which one event in it may be to blame


class WebhookSettings(DestinationSettings):
    kind: Literal["webhook"]
    url: str
    """Where to; https, or loopback."""
    secret: Credential
    """Signs each body: `X-Signature: sha256=<hex of the HMAC-SHA256>`."""
    kinds: tuple[ActivityKind, ...] = ()
    """Only these kinds of events; left out: all."""
    batch_events: int = Field(default=100, ge=1, le=1000)
    """Most events in a call."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return checked_url(value)


class Webhook:
    kind = "webhook"

    def __init__(self, name: str, settings: WebhookSettings) -> None:
        self.name = name
        self.batch = BatchPolicy(events=settings.batch_events, bytes=MAX_BYTES, age=1.0)
        self._settings = settings

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:  # noqa: ARG002 - needs neither
        settled: dict[str, Outcome] = {}
        wanted = []
        for event in events:
            if self._settings.kinds and activity_kind(event) not in self._settings.kinds:
                settled[event.id] = filtered(Filter.UNMAPPED)
            elif len(body := orjson.dumps(clean(event.to_dict()))) > MAX_BYTES:
                settled[event.id] = dead(Dead.TOO_LARGE, f"{len(body)} bytes; a call takes {MAX_BYTES}")
            else:
                wanted.append((event, body))
        calls = (self._call(batch) for batch in batches(wanted, self.batch.events, MAX_BYTES))
        return Plan(tuple(calls), settled)

    def _call(self, batch: Sequence[tuple[Event, bytes]]) -> Call:
        body = json_list(batch)
        secret = self._settings.secret.get_secret_value().encode()
        headers = {
            "Content-Type": "application/cloudevents-batch+json",
            "X-Signature": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}",
        }
        return Call("events", Request("POST", self._settings.url, headers, body), tuple(event for event, _ in batch))

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        found = answered(reply)
        if isinstance(found, Verdict):
            return found
        if found.status in SPLITS:  # the engine halves the batch until it is alone: that one is dead, `refused`
            return Verdict(split=True, detail=said(found))
        if found.status >= 400:
            return Verdict({event.id: dead(Dead.REFUSED, said(found)) for event in call.events})
        return Verdict({event.id: delivered() for event in call.events})


def _build(name: str, settings: WebhookSettings, _appkeys: Mapping[str, str]) -> Webhook:
    return Webhook(name, settings)


def _panel(settings: WebhookSettings) -> list[PanelItem]:
    return [PanelItem("address", settings.url, ", ".join(settings.kinds) or "all", {})]


KIND: Final = Kind(WebhookSettings, _build, _panel)
