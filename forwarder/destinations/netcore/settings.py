"""`[destinations.<name>] kind = "netcore"`."""

from collections.abc import Mapping
from typing import Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from base.settings import Currency
from base.urls import checked_url
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.mapping import EventMapping, faults_in_fields
from forwarder.destinations.settings import Credential, DestinationSettings, delivers_nothing

HOSTS: Final = {
    "us": "https://api2.netcoresmartech.com",
    "in": "https://apiin2.netcoresmartech.com",
    "eu": "https://apieu2.netcoresmartech.com",
}

# The settings that ask for what is not relayed otherwise.
_OPT_INS: Final[Mapping[ActivityKind, str]] = {
    "init": "session_start",
    "ad": "ad_impression",
    "sensors": "beacon_seen",
    "geo": "location",
}


class NetcoreEvent(EventMapping):
    """Of `kind = "netcore"`, by our kind: `[destinations.netcore.events.sale]`."""


class NetcoreSettings(DestinationSettings):
    kind: Literal["netcore"]
    """Which vendor this is."""
    region: Literal["us", "in", "eu"] | None = None
    """Where the panel lives: api2, apiin2 or apieu2. Required unless base_url is given."""
    base_url: str | None = None
    """Another host than the region's, such as the sandbox."""
    api_key: Credential
    """The panel's API key."""
    auth_header: Literal["bearer", "api-key"] = "bearer"
    """`bearer`: Authorization: Bearer …; `api-key`: the header of newer panels."""
    web_asset_id: str = ""
    """The website's id in the panel. Without it what happens on the web is not relayed."""
    app_asset_id: str = ""
    """The app's id in the panel. Without it what happens in apps is not relayed."""
    primary_key: Literal["email", "mobile", "customer_id"] = "email"
    """The panel's primary key: what is sent as identity. Must be the panel's, or contacts are not found."""
    anonymous_field: Literal["annonid", "anonid"] = "annonid"
    """Name of the field for visitors nobody knows; a newer page of the vendor spells it anonid."""
    currency: Currency | None = None
    """ISO 4217 code of the sums of sales, sent along; left out: none is sent."""
    session_start: bool = False
    """Relay each init, as "Session Start"."""
    ad_impression: bool = False
    """Relay ads that were seen, as "Ad Impression"."""
    beacon_seen: bool = False
    """Relay beacons, as "Beacon Seen": one for each call, its strongest beacon."""
    location: bool = False
    """Relay positions, as "Location", rounded to three decimals (about 100 m)."""
    activities: dict[ActivityKind, str | Literal[False]] = Field(default_factory=dict)
    """Activity names of your own, by kind (`sale = "Order"`); false: this kind is not relayed."""
    events: dict[ActivityKind, NetcoreEvent] = Field(default_factory=dict)
    """What an activity's params are, where it is not what the page says, by our kind."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value)

    @field_validator("activities")
    @classmethod
    def _names(cls, value: dict[ActivityKind, str | Literal[False]]) -> dict[ActivityKind, str | Literal[False]]:
        if empty := [kind for kind, name in value.items() if name is not False and not name.strip()]:
            raise ValueError(f"expected a name, or false; {', '.join(empty)} is empty")
        return value

    @field_validator("events")
    @classmethod
    def _events(cls, value: dict[ActivityKind, NetcoreEvent]) -> dict[ActivityKind, NetcoreEvent]:
        told = [fault for kind, one in value.items() for fault in faults_in_fields(kind, (one.fields or {}).items())]
        if told:
            raise ValueError("; ".join(told))
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.region is None and self.base_url is None:
            raise ValueError("region is required: us, in or eu (or a base_url)")
        if not self.web_asset_id and not self.app_asset_id:
            raise ValueError("web_asset_id or app_asset_id is required: nothing could be relayed")
        if self.enabled:
            delivers_nothing(map(self.wants, get_args(ActivityKind)), "see activities, session_start, location …")
        return self

    def wants(self, kind: ActivityKind) -> bool:
        asked = kind not in _OPT_INS or getattr(self, _OPT_INS[kind])
        return asked and self.activities.get(kind) is not False

    @property
    def host(self) -> str:
        return self.base_url or HOSTS[self.region or "us"]
