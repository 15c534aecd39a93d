"""`[destinations.<name>] kind = "engagelab"`."""

import re
from collections.abc import Iterable
from typing import Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from base.settings import Currency
from base.urls import checked_url
from forwarder.destinations.kinds import UNASKED, ActivityKind
from forwarder.destinations.mapping import EventMapping, faults_in_fields
from forwarder.destinations.settings import BasicUser, Credential, DestinationSettings, delivers_nothing

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)  # of events and properties, as the panel takes them


class EngageLabEvent(EventMapping):
    """Of `kind = "engagelab"`, by our kind: `[destinations.engagelab.events.sale]`."""

    wanted: bool = True
    """False: this kind is not relayed."""
    name: str = ""
    """The event's name in EngageLab; left out: as the page says."""


class EngageLabSettings(DestinationSettings):
    kind: Literal["engagelab"]
    """Which vendor this is."""
    base_url: str
    """The address of your data centre's API; `/v1/…` is put behind it."""
    api_key: BasicUser
    """The APIKey of a data source of the type API."""
    api_secret: Credential
    """The APISecret of that data source."""
    app_key: str = ""
    """The AppKey of an app or website that events are shown under; left out: none is sent."""
    batch_events: int = Field(default=100, ge=1, le=1000)
    """Most events in a report; EngageLab's own limit is not known."""
    currency: Currency | None = None
    """ISO 4217 code of the sums of sales, sent along; left out: none is sent."""
    events: dict[ActivityKind, EngageLabEvent] = Field(default_factory=dict)
    """What is relayed otherwise than by default, by our kind; init, ad, sensors and geo only when they stand here."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @model_validator(mode="after")
    def _names(self) -> Self:
        for kind, event in self.events.items():
            names = [event.name or "unset", *(event.fields or {}), *event.constants]
            if faults := [*faults_in_fields(kind, (event.fields or {}).items()), *_misnamed(kind, names)]:
                raise ValueError("; ".join(faults))
        if self.enabled:
            by_default = [kind for kind in get_args(ActivityKind) if kind not in UNASKED and kind not in self.events]
            wanted = [event.wanted for event in self.events.values()]
            delivers_nothing([*wanted, bool(by_default)], "see events.<kind>.wanted")
        return self


def _misnamed(kind: ActivityKind, names: Iterable[str]) -> list[str]:
    return [
        f"events.{kind}: {name!r} is no name there: lower-case letters, digits and _, a letter first"
        for name in names
        if not _NAME.fullmatch(name)
    ]
