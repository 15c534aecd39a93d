"""`[collector]`, `[identity]`, `[keys.<name>]`: what the collector reads of the file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator

from base.settings import AdminSettings, KeyValues, LoggingSettings, Root, Section, networks
from base.urls import checked_url
from collector.bot_rules import BotSettings
from eventlog.settings import LogSettings

_ORIGIN: Final = re.compile(r"https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_TAKEN: Final = frozenset({"jsapi", "mobileapi", "health", "demo"})  # first parts of the paths of everything else


class LimitSettings(Section):
    """Sizes in bytes, times in seconds (faults.md, "Limits")."""

    url_bytes: int = Field(default=8 * 1024, gt=0)
    """Longest URL; 414 beyond."""
    header_bytes: int = Field(default=16 * 1024, gt=0)
    """Names and values of a request's headers together; 431 beyond."""
    header_fields: int = Field(default=64, gt=0)
    """Headers of a request; 431 beyond."""
    header_seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Time for a request's headers to arrive, from its first byte; then 408 and close."""
    body_bytes: int = Field(default=512 * 1024, gt=0)
    """Largest body of a tracking call; 413 beyond."""
    batch_body_bytes: int = Field(default=4 * 1024 * 1024, gt=0)
    """Largest body of a batch."""
    lead_body_bytes: int = Field(default=8 * 1024 * 1024, gt=0)
    """Largest body of a lead (`register`)."""
    gunzipped_bytes: int = Field(default=2 * 1024 * 1024, gt=0)
    """Largest body once gunzipped; four times this for a batch or a lead."""
    gunzip_ratio: int = Field(default=100, gt=1)
    """Largest gunzipped size over the size that came."""
    body_seconds: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Time for a body to arrive."""
    arriving_bytes: int = Field(default=64 * 1024 * 1024, gt=0)
    """Bytes of a worker that have come of requests that are not whole; 503 and Retry-After for the next such."""
    form_pairs: int = Field(default=1000, gt=0)
    """Pairs of a form."""
    form_key_bytes: int = Field(default=256, gt=0)
    """A name of a form."""
    form_value_bytes: int = Field(default=16 * 1024, gt=0)
    """A value of a form; a lead's file is under the lead's body limit instead."""
    form_levels: int = Field(default=5, gt=0)
    """Bracket levels of a form's name."""
    form_index: int = Field(default=99, gt=0)
    """Largest index in a form's name."""
    json_depth: int = Field(default=32, gt=0)
    """Levels of a JSON body, counted before parsing."""
    json_containers: int = Field(default=5000, gt=0)
    """Objects and arrays of an event's JSON, counted before parsing."""
    json_members: int = Field(default=10_000, gt=0)
    """Names in an event's JSON, counted before parsing."""
    sensors: int = Field(default=100, gt=0)
    """Beacons a call."""
    batch_events: int = Field(default=500, gt=0)
    """Events a batch."""
    in_flight_requests: int = Field(default=2000, gt=0)
    """Requests of a worker that wait for the log; 503 and Retry-After beyond."""
    in_flight_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    """Bytes of a worker that wait for the log; 503 and Retry-After beyond."""


class RateSettings(Section):
    """Who may send how much; each worker counts by itself. Above a rate events are answered 200 and quarantined."""

    web_per_second: float = Field(default=50.0, gt=0, allow_inf_nan=False)
    """Events of an address (IPv6: of a /64)."""
    web_burst: int = Field(default=200, gt=0)
    """Events that an address may send at once."""
    mobile_per_second: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    """Events of a phone, by key and `mid`: a mall is one address."""
    mobile_burst: int = Field(default=80, gt=0)
    """Events that a phone may send at once."""
    refuse_at: float = Field(default=10.0, gt=1, allow_inf_nan=False)
    """So many times a rate are answered 429."""
    bad_keys_per_minute: int = Field(default=10, gt=0)
    """Calls of an address without a known app key; 429 in place of 403 beyond. Its calls with a key go on."""
    unlimited: tuple[str, ...] = ()
    """Addresses or networks that are not counted, such as a load test's host; with `profile = "dev"` loopback is none."""

    @field_validator("unlimited")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return networks(values)


class PrivacySettings(Section):
    """What of a person's data is kept. What is not is gone before the log: no later change brings it back."""

    address: Literal["keep", "truncate", "drop"] = "keep"
    """The client's address; `truncate`: its network (/24, /48)."""
    personal: Literal["keep", "hash", "drop"] = "keep"
    """E-mail, phone, customer id, push token, a lead's person. `hash`: dropped, and told by keyed hashes that no
    destination gets."""


class KeySettings(KeyValues):
    """An app key, by a name of yours: the key itself is public, and changes; the name stands in metrics and events."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = Field(default="default", min_length=1, max_length=100)
    """Whose people these are: the same e-mail is the same person within a tenant."""
    origins: tuple[str, ...] = ()
    """Web origins that may send with it (`https://shop.example`); empty: any. Others are quarantined."""
    surfaces: tuple[Literal["web", "mobile"], ...] = ("web", "mobile")
    """Doors it is good for."""
    quota: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Events a second that each worker takes with it; none: as many as come. Beyond: as above `[collector.rates]`."""
    privacy: PrivacySettings = PrivacySettings()

    @field_validator("values")
    @classmethod
    def _values(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if any(not value or len(value) > 128 or not value.isprintable() for value in values):
            raise ValueError("expected 1 to 128 printable characters each")
        return values

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """As browsers write them, for they are compared as texts (RFC 6454, 6.2)."""
        for origin in origins:
            if not _ORIGIN.fullmatch(origin) or origin.endswith(_DEFAULT_PORTS[origin.partition(":")[0]]):
                raise ValueError(f"expected scheme://host[:port], lower case, without a path; {origin!r} is not")
        return origins


class IdentitySettings(Section):
    secret: SecretStr | None = None
    """Seals the ids that we hand out; 32 characters at least. Required outside `profile = "dev"`."""
    previous_secrets: tuple[SecretStr, ...] = ()
    """Secrets before this one, newest first: ids sealed with them are still ours."""
    person_secret: SecretStr | None = None
    """Keys the hash that makes an e-mail a `uid`. Never change it: the same people would get new ids. Default: derived
    from `secret`; set it before you first replace `secret`."""

    @field_validator("secret", "person_secret")
    @classmethod
    def _long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < 32:
            raise ValueError("expected 32 characters or more, such as `openssl rand -hex 32` prints")
        return secret

    @model_validator(mode="after")
    def _person(self) -> Self:
        if self.previous_secrets and self.person_secret is None:
            raise ValueError("previous_secrets without person_secret: people would get new ids; set person_secret")
        return self


class PassThroughSettings(Section):
    """The SDK's ad-serving calls go on to the vendor, with our mid swapped for its own. Off unless this table is there."""

    destination: str
    """Name of the Footprints destination whose `base_url`, `upstream_appkeys` and known visitors are used."""
    timeout: float = Field(default=5.0, gt=0, le=60, allow_inf_nan=False)
    """Seconds for the vendor's answer; then 504."""
    concurrency: int = Field(default=32, ge=1, le=1024)
    """Calls of a worker under way; 503 and Retry-After beyond."""
    reply_bytes: int = Field(default=1024 * 1024, gt=0)
    """Largest answer that is passed on; 502 beyond."""


class Upstream(BaseModel):
    """What the collector reads of a `[destinations.<name>]`: the rest is the forwarder's."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    kind: Literal["footprints"]
    base_url: str
    upstream_appkeys: Mapping[str, str] = Field(default_factory=dict)
    forward_address: bool = False

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)


class CollectorSettings(Section):
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that share the port."""
    fast_lane: bool = True
    """Tracking calls go straight to the intake; `false` sends all through ASGI, behind the same limits."""
    drain_seconds: float = Field(default=8.0, gt=0, allow_inf_nan=False)
    """After SIGTERM, requests that have come are still answered for so long."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""
    cookie_seconds: int = Field(default=34_560_000, ge=0)
    """Life of the same-site id cookie that answers a web init (400 days); 0 sets none."""
    files_days: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """Days after which files of leads and bodies too large for the log are deleted (`files/`, `oversize/`); 0: never."""
    script_max_age: int = Field(default=3600, ge=0)
    """Cache-Control of omnichannel.js, in seconds."""
    script_aliases: tuple[str, ...] = ()
    """More paths that serve omnichannel.js (`/assets/shop.js`): none under /jsapi, /mobileapi, /health or /demo."""
    static_dir: Path | None = None
    """Folder of omnichannel.js and the demo; default: the one beside the packages."""
    demo: bool = False
    """Serve the demo shop at /demo/."""
    warnings: bool = False
    """JSON answers carry `warnings` for the page's author. `ochn dev` turns it on."""
    limits: LimitSettings = LimitSettings()
    rates: RateSettings = RateSettings()
    pass_through: PassThroughSettings | None = None

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return networks(values)

    @field_validator("script_aliases")
    @classmethod
    def _aliases(cls, aliases: tuple[str, ...]) -> tuple[str, ...]:
        for alias in aliases:
            if not re.fullmatch(r"(/[\w.~-]+)+", alias, re.ASCII) or alias.split("/")[1] in _TAKEN:
                raise ValueError(f"expected a path such as /assets/shop.js, none that is taken; {alias!r} is not")
        return aliases


class CollectorRoot(Root):
    profile: Literal["production", "dev"] = "production"
    """`dev` starts without secrets of its own. Never face the internet with it."""
    data_dir: Path = Path("data")
    """Folder of the embedded log, the spool and all local state."""
    logging: LoggingSettings = LoggingSettings()
    admin: AdminSettings = AdminSettings()
    log: LogSettings = LogSettings()
    identity: IdentitySettings = Field(default=IdentitySettings(), validate_default=True)
    collector: CollectorSettings = CollectorSettings()
    bots: BotSettings = BotSettings()
    keys: dict[str, KeySettings] = Field(default_factory=dict)
    destinations: Mapping[str, Any] = Field(default_factory=dict)

    def upstream(self, destination: str) -> Upstream:
        """ValidationError unless it is a Footprints destination."""
        return Upstream.model_validate(self.destinations[destination])

    @model_validator(mode="after")
    def _passes_through(self) -> Self:
        chosen = self.collector.pass_through
        if chosen is None:
            return self
        if _kind(self.destinations.get(chosen.destination)) != "footprints":
            raise ValueError(
                f"collector.pass_through.destination = {chosen.destination!r}: no such Footprints destination"
            )
        self.upstream(chosen.destination)
        return self

    @field_validator("keys")
    @classmethod
    def _one_owner(cls, keys: dict[str, KeySettings]) -> dict[str, KeySettings]:
        seen: dict[str, str] = {}
        for name, key in keys.items():
            for value in key.values:
                if seen.setdefault(value, name) != name:
                    raise ValueError(f"keys.{name} and keys.{seen[value]} have the same value")
        return keys

    @field_validator("identity")
    @classmethod
    def _sealed(cls, identity: IdentitySettings, known: ValidationInfo) -> IdentitySettings:
        """Of the field, not of the whole: told beside all other faults."""
        if known.data.get("profile") == "production" and identity.secret is None:
            raise ValueError('secret is required unless profile = "dev"; `openssl rand -hex 32` makes one')
        return identity


def _kind(destination: Any) -> Any:
    """As it stands in the file, or as the forwarder's settings have it."""
    return destination.get("kind") if isinstance(destination, Mapping) else getattr(destination, "kind", None)
