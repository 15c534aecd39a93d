"""`[destinations.<name>] kind = "expertsender"`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from base.settings import Currency, Section
from base.urls import checked_url
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.mapping import Constant, faults_in_fields
from forwarder.destinations.params import FIELDS, FIELDS_OF_ALL, FieldType
from forwarder.destinations.settings import Credential, DestinationSettings

DataType = Literal["String", "Text", "Number", "Money", "Date", "DateTime", "Boolean", "Url"]
PersonKey = Literal["email", "phone", "crm_id"]
Int32 = Annotated[int, Field(ge=1, le=2**31 - 1)]
# What each of our fields may be declared as: another type could hold none of its values.
_HELD: Final[Mapping[FieldType, tuple[DataType, ...]]] = {
    "text": ("String", "Text", "Number", "Money", "Date", "DateTime", "Boolean", "Url"),
    "number": ("String", "Text", "Number", "Money"),
    "time": ("String", "Text", "Date", "DateTime"),
    "texts": ("String", "Text"),
    "items": ("Text",),
}


class DataField(Section):
    """Of `kind = "expertsender"`: one of an event's `fields`, by its name in ExpertSender."""

    field: str
    """Which of our fields it takes its value from."""
    type: DataType = "String"
    """Its type in ExpertSender."""


class ExpertSenderEvent(Section):
    """Of `kind = "expertsender"`, by our kind: `[destinations.expertsender.events.sale]`."""

    id: Int32
    """The custom event's id (customEventId)."""
    segments: tuple[Int32, ...] = ()
    """Start the scenario for everybody in these segments, in place of the visitor: at each such event, whoever's."""
    fields: dict[str, DataField] | None = None
    """The dataFields by their name; left out: as the page says."""
    constants: dict[str, Constant] = Field(default_factory=dict)
    """dataFields that always go along, by their name."""


class ExpertSenderSettings(DestinationSettings):
    kind: Literal["expertsender"]
    """Which vendor this is."""
    base_url: str = "https://api.ecdp.app"
    """Another host, such as the sandbox."""
    api_key: Credential
    """The API key (Settings > API)."""
    identify_by: tuple[PersonKey, ...] = Field(default=("email", "phone", "crm_id"), min_length=1)
    """Which of what is known of a visitor may be sent; the first that is known is, in this order."""
    hash_email: Literal["no", "md5", "sha256"] = "no"
    """Send an e-mail as its hash (customerEmailMd5, customerEmailSha256), never itself."""
    currency: Currency | None = None
    """ISO 4217 code of the sums of sales, for the field `currency`."""
    events: dict[ActivityKind, ExpertSenderEvent] = Field(default_factory=dict)
    """What is relayed, by our kind."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_url(value)

    @model_validator(mode="after")
    def _delivers(self) -> Self:
        if self.enabled and not self.events:
            raise ValueError(
                "no [destinations.<name>.events.<kind>] has an id: the destination is on and delivers nothing"
            )
        for kind, event in self.events.items():
            fields = {name: field.field for name, field in (event.fields or {}).items()}
            if faults := faults_in_fields(kind, fields.items()) or list(_unheld(kind, event)):
                raise ValueError("; ".join(faults))
        return self


def _unheld(kind: ActivityKind, event: ExpertSenderEvent) -> Iterator[str]:
    known = {**FIELDS[kind], **FIELDS_OF_ALL}
    for name, field in (event.fields or {}).items():
        if field.type not in (held := _HELD[known[field.field]]):
            yield f"events.{kind}.fields: {name}: {field.field} is no {field.type}; it can be {', '.join(held)}"
