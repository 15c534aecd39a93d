"""`[destinations.<name>]`: what every kind has."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from base.settings import Name, Section
from eventlog.log import Start
from forwarder.destinations.withholding import No


class DestinationSettings(Section):
    """What every destination has; each kind adds its own (forwarder/destinations/<kind>.py)."""

    enabled: bool = True
    """Off: its group stands still, and goes on from there when turned on again."""
    start: str = "earliest"
    """Where a new group begins: `earliest`, `now`, or a time with a zone (2026-11-21T00:00:00Z)."""
    timeout: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds for a call, from connecting to the last byte."""
    concurrency: int = Field(default=16, ge=1, le=512)
    """Calls side by side; one visitor's events still go one after the other."""
    calls_per_second: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most calls a second, evenly spaced; left out: as many as are answered."""
    max_age_hours: float = Field(default=24.0, gt=0)
    """Beyond this an event is late: each kind says what that means."""
    withhold: tuple[No, ...] = ("gpc", "declined")
    """Of whom it gets nothing (`filtered`, `withheld`): who says no by Global Privacy Control, by Do Not Track, or in your
    site's cookie `cookie_consent`, to everything or to one purpose. Leads go in every case."""
    filter_bots: tuple[Name, ...] = ("monitor", "crawler")
    """Rules whose events it does not get (`filtered`, `bot:<rule>`): built-in ones and those of `[bots.rules]`."""

    @field_validator("start")
    @classmethod
    def _start(cls, value: str) -> str:
        if value not in ("earliest", "now") and not _with_zone(value):
            raise ValueError("expected earliest, now, or a time with a zone (2026-11-21T00:00:00Z)")
        return value

    def log_start(self) -> Start:
        if self.start == "earliest":
            return "earliest"
        return "now" if self.start == "now" else datetime.fromisoformat(self.start).timestamp()


def _with_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _bare(secret: SecretStr) -> SecretStr:
    """It goes in a header: what is copied along with it (quotes, `Bearer`, a line's end) would be refused there."""
    value = secret.get_secret_value()
    if not value or not value.isascii() or not value.isprintable() or set(value) & set(" \"'"):
        raise ValueError("expected the bare value: ASCII letters, digits and signs, without spaces, quotes or `Bearer`")
    return secret


def _password(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("expected a password: not empty, no line's end, no spaces around it")
    return secret


def _before_colon(secret: SecretStr) -> SecretStr:
    if ":" in secret.get_secret_value():
        raise ValueError("expected no colon: the key and the secret are two settings")
    return secret


Credential = Annotated[SecretStr, AfterValidator(_bare)]
BasicUser = Annotated[SecretStr, AfterValidator(_bare), AfterValidator(_before_colon)]  # RFC 7617, 2
Password = Annotated[SecretStr, AfterValidator(_password)]


def delivers_nothing(wanted: Iterable[bool], way_out: str) -> None:
    """ValueError when a destination that is on wants no kind of event at all."""
    if not any(wanted):
        raise ValueError(f"every kind of event is turned off: the destination is on and delivers nothing; {way_out}")
