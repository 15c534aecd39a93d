"""`[destinations.<name>] kind = "footprints"`."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from base.urls import checked_url
from forwarder.destinations.settings import BasicUser, Credential, DestinationSettings, Password

_GRANT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "client_credentials": (),
    "password": ("username", "password"),
    "pin": ("pin",),
}


class FootprintsSettings(DestinationSettings):
    kind: Literal["footprints"]
    """Which vendor this is."""
    base_url: str
    """The account's address, with or without `https://`; `/jsapi/…`, `/mobileapi/…` and `/api/…` are put behind it."""
    upstream_appkeys: dict[str, str] = Field(default_factory=dict)
    """Their app key, by the name of ours (`[keys.<name>]`); a name that is left out goes with our own first value."""
    key: BasicUser | None = None
    """For leads: key of the API. Without key and secret no lead is sent."""
    secret: Credential | None = None
    """For leads: secret of the API."""
    grant_type: Literal["client_credentials", "password", "pin"] = "client_credentials"
    """For leads: how the access token is asked for."""
    username: str = ""
    """For the grant `password`."""
    password: Password | None = None
    """For the grant `password`."""
    pin: Credential | None = None
    """For the grant `pin`."""
    erase: bool = False
    """Whom `ochn erase` erases, with a known customer id, it asks Footprints to delete too. Needs key and secret."""
    forward_address: bool = False
    """Pass the visitor's address on, as X-Forwarded-For."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if (self.key is None) != (self.secret is None):
            raise ValueError("key and secret go together: one of them is missing")
        if self.erase and self.key is None:
            raise ValueError("erase = true needs key and secret")
        missing = [name for name in _GRANT_FIELDS[self.grant_type] if not getattr(self, name)]
        if missing:
            raise ValueError(f"grant_type {self.grant_type} needs {' and '.join(missing)}")
        return self
