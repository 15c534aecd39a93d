"""`[destinations.<name>] kind = "ray"`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from base.settings import Currency, matching
from base.urls import checked_url
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.mapping import EventMapping, faults_in_fields
from forwarder.destinations.settings import Credential, DestinationSettings, Password


class RayEvent(EventMapping):
    """Of `kind = "ray"`, by our kind: `[destinations.ray.events.sale]`."""

    type: str = Field(min_length=1)
    """The interaction's `type` in RAY."""
    sub_type: str = Field(min_length=1)
    """The interaction's `subType` in RAY."""


class RaySettings(DestinationSettings):
    kind: Literal["ray"]
    """Which vendor this is."""
    base_url: str = "https://api.rayapp.io"
    """Another host, such as the sandbox."""
    client_id: Annotated[str, matching(r"[^:\s]+", "no space and no colon: the client and its secret are two settings")]
    """For the access token: whose program this is."""
    client_secret: Credential
    """For the access token: the program's secret."""
    username: str = Field(min_length=1)
    """For the access token: the API's user."""
    password: Password
    """For the access token: the user's password."""
    store_id: Annotated[str, Field(min_length=1)] | int
    """The store in which users and interactions are registered; a number goes as a number."""
    batch_events: int = Field(default=100, ge=1, le=1000)
    """Most interactions in a call; RAY's own limit is not known."""
    currency: Currency | None = None
    """ISO 4217 code of the sums of sales, for the field `currency`."""
    countries: dict[str, str] = Field(default_factory=dict)
    """ISO 3166-1 alpha-2 codes of countries as your forms spell them (`Romania = "RO"`)."""
    events: dict[ActivityKind, RayEvent] = Field(default_factory=dict)
    """What is relayed, by our kind."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @field_validator("countries")
    @classmethod
    def _countries(cls, value: dict[str, str]) -> dict[str, str]:
        if wrong := [code for code in value.values() if not is_country(code)]:
            raise ValueError(f"expected two capital letters for each: {', '.join(wrong)}")
        return {name.casefold(): code for name, code in value.items()}

    @model_validator(mode="after")
    def _delivers(self) -> Self:
        if self.enabled and not self.events:
            raise ValueError(
                "no [destinations.<name>.events.<kind>] is set: the destination is on and delivers nothing"
            )
        for kind, mapping in self.events.items():
            if faults := faults_in_fields(kind, (mapping.fields or {}).items()):
                raise ValueError("; ".join(faults))
        return self


def is_country(code: str) -> bool:
    return len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()
