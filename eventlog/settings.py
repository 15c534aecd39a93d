"""`[log]`: where events are kept between coming in and going out."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from base.settings import Section, matching
from eventlog.topics import Topics


class EmbeddedSettings(Section):
    segment_bytes: int = Field(default=64 * 1024 * 1024, ge=4096)
    """A segment file is sealed at this size."""
    segment_seconds: float = Field(default=3600.0, gt=0, allow_inf_nan=False)
    """A segment that holds anything is sealed at this age."""
    retention_bytes: int = Field(default=20 * 1024 * 1024 * 1024, gt=0)
    """Sealed segments beyond this, of one topic, are deleted, oldest first."""
    retention_hours: float = Field(default=168.0, gt=0)
    """Sealed segments older than this are deleted."""
    sync: bool = True
    """Flush to the disk before answering. Off: an answered event can be lost when the power goes. For negative controls."""


class KafkaSettings(Section):
    bootstrap: str = "127.0.0.1:9092"
    """Brokers, `host:port` joined by commas."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to speak to the brokers."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """Used with the SASL protocols."""
    sasl_username: str = ""
    """Used with the SASL protocols."""
    sasl_password: SecretStr = SecretStr("")
    """Used with the SASL protocols."""
    ssl_ca_file: str = ""
    """PEM file of the authority that signed the brokers' certificates; empty: the system's."""
    ssl_cert_file: str = ""
    """PEM file of our certificate, when the brokers want one."""
    ssl_key_file: str = ""
    """PEM file of our certificate's key."""
    partitions: int = Field(default=6, ge=1, le=1000)
    """Partitions of a topic that we create for events and facts."""
    replication: int = Field(default=3, ge=1)
    """Replicas of a topic that we create, at most the number of brokers; two in-sync where there are three."""
    retention_hours: float = Field(default=168.0, gt=0, allow_inf_nan=False)
    """Retention of a topic that we create."""
    request_timeout: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds until an append that Kafka has not acknowledged is given up, and the connection with it."""
    spool_after: float = Field(default=0.25, gt=0, allow_inf_nan=False)
    """Seconds until an event that Kafka has not acknowledged goes to the spool, and all that come after it."""

    @field_validator("bootstrap")
    @classmethod
    def _brokers(cls, value: str) -> str:
        for broker in value.split(","):
            host, _, port = broker.strip().rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"expected host:port, joined by commas; {broker.strip()!r} is not")
        return value

    @model_validator(mode="after")
    def _who(self) -> Self:
        named = self.sasl_username and self.sasl_password.get_secret_value()
        if self.security_protocol.startswith("SASL") and not named:
            raise ValueError(f"sasl_username and sasl_password are required with {self.security_protocol}")
        return self


class RetentionSettings(Section):
    """How long a topic is kept, where that is not as long as events are."""

    quarantine_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Quarantined events. Default: as events."""
    dead_letters_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Dead letters, with the requests and replies that they hold. Default: as events."""
    receipts_hours: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Receipts, without which `ochn trace` knows of no outcome. Default: as events."""

    def of(self, topics: Topics) -> Mapping[str, float | None]:
        """By the topic's name."""
        return {
            topics.quarantine.name: self.quarantine_hours,
            topics.dead_letters.name: self.dead_letters_hours,
            topics.receipts.name: self.receipts_hours,
        }


class LogSettings(Section):
    kind: Literal["embedded", "kafka"] = "embedded"
    """`embedded`: files in the data directory; `kafka`: Apache Kafka, with the embedded log as its spool."""
    topic_prefix: Annotated[str, matching("[a-zA-Z0-9._-]{1,100}", "letters, digits, dots, - and _, 100 at most")] = (
        "ochn"
    )
    """First part of every topic's name."""
    embedded: EmbeddedSettings = EmbeddedSettings()
    kafka: KafkaSettings = KafkaSettings()
    retention: RetentionSettings = RetentionSettings()

    @property
    def retention_hours(self) -> float:
        """Of events."""
        return self.kafka.retention_hours if self.kind == "kafka" else self.embedded.retention_hours
