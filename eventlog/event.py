"""The Event: CloudEvents 1.0, structured JSON, one to a record (`application/cloudevents+json`).

The schema that others may validate against is docs/event.schema.json. Attributes are never null and never objects:
what is not known is left out.
"""

from functools import partial
from typing import Any, Final

from msgspec import MsgspecError, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict

from base.errors import OchnError
from base.values import Value
from eventlog.log import Headers, Record, StoredRecord

CONTENT_TYPE: Final = "application/cloudevents+json"
RECORD_HEADERS: Final[Headers] = (("content-type", CONTENT_TYPE.encode()),)
SCHEMA_VERSION: Final = "1"
SOURCE: Final = "/ochn/collector"
IMPERSONAL: Final = "personal="  # in `privacy`: contacts and names were taken out
MAX_BYTES: Final = 900 * 1024  # an event, encoded (faults.md, "Limits")


class UnreadableEvent(OchnError):
    """A record of the log that is no Event: never ours, so it becomes a dead letter, not a crash."""


def _nothing() -> dict[str, Any]:
    return {}


class Event(Value, frozen=True, omit_defaults=True):
    """Made by name. `subject` is the visitor's id and the record's key. Times are RFC 3339 with `Z` (base.clock.rfc3339)."""

    id: str  # UUIDv7, made at the first byte, kept to the end
    type: str  # ochn.web.init, ochn.web.visit, ochn.mobile.sensors, ochn.register …
    subject: str
    time: str  # when it happened, by the device's clock corrected with `senttime`; else `receivedtime`
    receivedtime: str
    tenant: str
    appkeyname: str
    door: str  # the path it came in by
    data: dict[str, Any] = field(default_factory=_nothing)  # always told, also when there is nothing in it
    data_base64: str | None = None  # bytes that could not be decoded, in place of data
    source: str = field(default_factory=partial(str, SOURCE))  # always told: what a factory gives is no default
    schemaversion: str = field(default_factory=partial(str, SCHEMA_VERSION))
    person: str | None = None  # uid: the keyed hash of customer id, e-mail or phone, when one was told
    clienteventid: str | None = None
    clienttime: str | None = None
    senttime: str | None = None
    spooled: bool = False
    maybeduplicate: bool = False
    rerouted: bool = False
    foreignid: bool = False
    replayed: bool = False
    consent: str | None = None  # "cookie=accepted;gpc=1;dnt=1", only what was said
    privacy: str | None = None  # what was not kept: "address=truncate;personal=hash;email=<hash>"; none: all was
    originverdict: str | None = None  # allowed, denied; left out when no Origin came
    botrule: str | None = None
    clientaddress: str | None = None
    useragent: str | None = None
    quarantinereasons: str | None = None  # codes of base.reasons.Quarantine, joined by commas

    @property
    def surface(self) -> str:
        """`web`, `mobile` or `register`: the second part of the type."""
        return self.type.split(".", 2)[1]

    @property
    def kind(self) -> str:
        """The type's last part: init, visit, sale, …, sensors, geo, reach, impression, register."""
        return self.type.rsplit(".", 1)[1]

    @property
    def impersonal(self) -> bool:
        """Whom it is of was taken out before it was kept."""
        return self.privacy is not None and IMPERSONAL in self.privacy

    def to_bytes(self) -> bytes:
        if self.data_base64 is not None:
            return _encode(self.to_dict())
        return b"".join((_BEFORE, _encode(self)[1:-1], _BEHIND))  # the encoder's own takes 1 KiB or more

    def to_dict(self) -> dict[str, Any]:
        told = asdict(self)
        body = {
            "specversion": "1.0",
            **{name: value for name, value in told.items() if value is not None and value is not False},
        }
        if self.data_base64 is None:
            body["datacontenttype"] = "application/json"
        else:
            del body["data"]
        return body

    def to_record(self, topic: str, timestamp: float) -> Record:
        return Record(topic, self.subject.encode(), self.to_bytes(), timestamp, RECORD_HEADERS)

    @classmethod
    def from_record(cls, record: StoredRecord) -> "Event":
        return cls.from_bytes(record.value or b"")

    @classmethod
    def from_bytes(cls, body: bytes) -> "Event":
        """UnreadableEvent for anything that is not an Event of ours. Attributes of a newer version are passed over."""
        try:
            event: Event = _decode(body)
        except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableEvent(f"not an event: {error}") from error
        if "." not in event.type:
            raise UnreadableEvent("not an event: its type is no name")
        return event


_encode: Final = Encoder().encode
_decode: Final = Decoder(Event).decode
_BEFORE: Final = b'{"specversion":"1.0",'
_BEHIND: Final = b',"datacontenttype":"application/json"}'
