"""`[forwarder]`, `[destinations.<name>]` and `[sandbox]`: what the forwarder and its sandbox read of the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator
from pydantic_core import PydanticKnownError

from base.settings import AdminSettings, KeyValues, LoggingSettings, Name, Root, Section
from eventlog.settings import LogSettings
from forwarder.destinations import own
from forwarder.destinations.engagelab.settings import EngageLabSettings
from forwarder.destinations.expertsender.settings import ExpertSenderSettings
from forwarder.destinations.footprints.settings import FootprintsSettings
from forwarder.destinations.netcore.settings import NetcoreSettings
from forwarder.destinations.ray.settings import RaySettings


class ForwarderSettings(Section):
    batch_records: int = Field(default=500, ge=1, le=10_000)
    """Records a group takes from the log at a time."""
    unsettled: int = Field(default=5000, ge=2)
    """Events that a destination may have taken from the log and not settled; at least two of its batches."""
    unsettled_bytes: int = Field(default=64 * 1024 * 1024, ge=1024 * 1024)
    """As above, in bytes of the log."""
    first_retry: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    """Seconds before the first retry; doubles, with full jitter."""
    longest_retry: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Longest wait between retries, unless the destination asks for more by Retry-After."""
    probe_seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Least seconds between two probes of a destination that is down, unless it asks for others by Retry-After."""
    park_after: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    """Seconds that one event may keep failing while others pass, before it is parked."""
    parked_hours: float = Field(default=24.0, gt=0, allow_inf_nan=False)
    """A parked event is a dead letter after this; hours without a forwarder don't count."""
    late_parked: int = Field(default=500_000, ge=0)
    """With so many parked at a destination, late events go with the others again; 0: always."""
    facts_days: float = Field(default=400.0, gt=0, allow_inf_nan=False)
    """What a destination taught about a visitor is forgotten when they were not seen for so many days. Who comes back is
    made known there anew."""
    duplicate_window: int = Field(default=20_000, ge=0)
    """Newest events of a partition among which what came twice is found, and dropped; 0: nothing is. A destination
    needs up to 220 bytes for each, and reads as many again when a partition is assigned to it."""
    same_refusals: int = Field(default=20, ge=2)
    """So many single refusals in a row, for one reason, pause the destination."""
    drain_seconds: float = Field(default=8.0, gt=0, allow_inf_nan=False)
    """After SIGTERM, calls in flight may end for so long."""


class SandboxSettings(Section):
    host: str = "127.0.0.1"
    """Address of the sandboxed vendors. They take anybody's word: keep it off the open internet."""
    port: int = Field(default=8090, ge=0, le=65535)
    """Port of the sandboxed vendors, of what they received, and of the page that shows it."""
    expired_tls_port: int = Field(default=0, ge=0, le=65535)
    """Port on which the same vendors stand behind a certificate that has expired; 0: none."""
    token_seconds: int = Field(default=31_535_999, ge=1)
    """Life of an access token of the sandboxed Footprints; of RAY's at most an hour."""


class SandboxRoot(Root):
    data_dir: Path = Path("data")
    """Folder of the embedded log, the spool and all local state."""
    logging: LoggingSettings = LoggingSettings()
    sandbox: SandboxSettings = SandboxSettings()


OURS: Final = ("footprints", "netcore", "ray", "expertsender", "engagelab")


def _of_its_kind(value: Any, ours: ValidatorFunctionWrapHandler) -> Any:
    """A kind that is not ours is looked for in the packages that are installed (forwarder/destinations/own.py)."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind in OURS:
        return ours(value)
    try:
        return own.find(kind).settings.model_validate(value)
    except KeyError:
        known = ", ".join(map(repr, (*OURS, *own.installed())))
        told = {"discriminator": "'kind'", "tag": kind, "expected_tags": known}
        raise PydanticKnownError("union_tag_invalid", told) from None


AnyDestination = Annotated[
    FootprintsSettings | NetcoreSettings | RaySettings | ExpertSenderSettings | EngageLabSettings,
    Field(discriminator="kind"),
    WrapValidator(_of_its_kind),
]


class ForwarderRoot(Root):
    profile: Literal["production", "dev"] = "production"
    """`dev` starts without secrets of its own. Never face the internet with it."""
    data_dir: Path = Path("data")
    """Folder of the embedded log, the spool and all local state."""
    logging: LoggingSettings = LoggingSettings()
    admin: AdminSettings = AdminSettings()
    log: LogSettings = LogSettings()
    forwarder: ForwarderSettings = ForwarderSettings()
    keys: Mapping[str, KeyValues] = Field(default_factory=dict)
    """App keys: a destination that has none of its own sends ours."""
    destinations: dict[Name, AnyDestination] = Field(default_factory=dict)
    """Where events are relayed to, by a name of yours, which stands in topics and metrics."""

    @model_validator(mode="after")
    def _parked_is_kept(self) -> Self:
        hours = self.log.retention_hours
        if self.forwarder.parked_hours > hours:
            raise ValueError(
                f"forwarder.parked_hours = {self.forwarder.parked_hours:g}: the log keeps what is parked for {hours:g} hours"
                f" (log.{self.log.kind}.retention_hours)"
            )
        return self
