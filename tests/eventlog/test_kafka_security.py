"""TLS both ways and SASL against a real broker; and what is said when a door stays shut."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from base.errors import SettingsError
from eventlog.appending import append_durably
from eventlog.kafka.connection import Connection
from eventlog.log import Assigned
from eventlog.settings import KafkaSettings
from tests.support.kafka_log import a_log, a_topic, read_all, records, until
from tests.support.logs import reading, scanned, writing
from tests.support.secure_kafka import PASSWORD, USER, SecureKafkaServer

pytestmark = pytest.mark.anyio


@pytest.mark.kafka
async def test_all_parts_speak_through_a_door_with_tls_and_sasl(
    secure_kafka: SecureKafkaServer, tmp_path: Path
) -> None:
    await passes_through(secure_kafka, tmp_path, PASSWORD, "PLAIN")
    await asyncio.to_thread(secure_kafka.add_scram_user, "SCRAM-SHA-512")
    await passes_through(secure_kafka, tmp_path, "scram", "SCRAM-SHA-512")
    for wrong, word in (
        ({"sasl_password": "wrong"}, "Authentication failed"),
        ({"security_protocol": "SASL_PLAINTEXT"}, ""),
        ({"ssl_ca_file": str(another_authority(tmp_path))}, "certificate verify failed"),
    ):
        await stays_shut(secure_kafka, tmp_path, wrong, word)


async def passes_through(kafka: SecureKafkaServer, data_dir: Path, password: str, mechanism: str) -> None:
    topic = a_topic()
    settings = door(kafka) | {"sasl_password": password, "sasl_mechanism": mechanism}
    log = a_log(kafka.secure, data_dir, topic, **settings)
    async with writing(log) as writer, reading(log, topic.name) as reader:
        await append_durably(writer, records(topic, range(10)))
        await until(reader, Assigned)
        assert len(await read_all(reader, 10)) == 10
        assert len(await scanned(log, topic.name)) == 10


async def stays_shut(kafka: SecureKafkaServer, data_dir: Path, wrong: dict[str, str], word: str) -> None:
    connection = Connection(KafkaSettings.model_validate({"bootstrap": kafka.secure, **door(kafka), **wrong}))
    with pytest.raises(Exception, match=f"{kafka.secure}.*{word}"):
        await connection.knock()


@pytest.mark.parametrize("setting", ["ssl_ca_file", "ssl_cert_file"])
def test_a_certificate_that_cannot_be_used_is_a_fault_of_the_settings(setting: str, tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("no certificate")
    settings = KafkaSettings.model_validate({"security_protocol": "SSL", setting: str(tmp_path / "not.pem")})
    with pytest.raises(SettingsError, match=r"not\.pem"):
        Connection(settings)


@pytest.fixture
def secure_kafka(tmp_path: Path) -> Iterator[SecureKafkaServer]:
    with SecureKafkaServer(tmp_path / "kafka") as server:
        yield server


def door(kafka: SecureKafkaServer) -> dict[str, str]:
    files = {"ssl_ca_file": str(kafka.ca), "ssl_cert_file": str(kafka.cert), "ssl_key_file": str(kafka.key)}
    return {"security_protocol": "SASL_SSL", "sasl_username": USER, "sasl_password": PASSWORD, **files}


def another_authority(directory: Path) -> Path:
    path = directory / "another.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path
