"""The settings as aiokafka wants them, and a first knock at the door that says why nobody opens."""

import asyncio
import ssl
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError

from base.errors import SettingsError
from eventlog.errors import LogUnavailable
from eventlog.settings import KafkaSettings

KNOCK_SECONDS = 5.0


class Connection:
    """How to reach one Kafka. Building it reads the certificates: SettingsError when they can't be used."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._security: dict[str, Any] = {"security_protocol": settings.security_protocol}
        if settings.security_protocol.endswith("SSL"):
            self._security["ssl_context"] = _ssl_context(settings)
        if settings.security_protocol.startswith("SASL"):
            self._security["sasl_mechanism"] = settings.sasl_mechanism
            self._security["sasl_plain_username"] = settings.sasl_username
            self._security["sasl_plain_password"] = settings.sasl_password.get_secret_value()

    def client(self, request_seconds: float) -> dict[str, Any]:
        """Keyword arguments that aiokafka's producer, consumer and admin client share."""
        return {
            "bootstrap_servers": self.settings.bootstrap,
            "request_timeout_ms": int(request_seconds * 1000),
            "metadata_max_age_ms": 5_000,  # a topic that was deleted and made again is seen this soon
            **self._security,
        }

    async def knock(self) -> None:
        """Returns when one broker answers and takes our credentials; else LogUnavailable, with its reason.

        aiokafka's clients leave sockets open when their start is cut short; this may be cut short at any time.
        """
        reason = "no broker is named"
        for host, port, _ in collect_hosts(self.settings.bootstrap):
            try:
                async with asyncio.timeout(KNOCK_SECONDS):
                    door = await create_conn(host, port, request_timeout_ms=KNOCK_SECONDS * 1000, **self._security)
            except (OSError, KafkaError, TimeoutError) as error:
                reason = _reason(error)
            else:
                door.close()
                return
        raise self.away(reason)

    def away(self, reason: object) -> LogUnavailable:
        why = _reason(reason) if isinstance(reason, BaseException) else reason
        return LogUnavailable(f"Kafka at {self.settings.bootstrap} can't be used: {why}")


def _ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca_file or None)
        if settings.ssl_cert_file:
            context.load_cert_chain(settings.ssl_cert_file, settings.ssl_key_file or None)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(filter(None, (settings.ssl_ca_file, settings.ssl_cert_file, settings.ssl_key_file)))
        raise SettingsError([f"log.kafka.ssl_* = {files}: can't be used: {error}"], "settings") from error
    return context


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    return str(error) or type(error).__name__
