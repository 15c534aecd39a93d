"""A broker with a door that wants TLS, a certificate of ours, and a name with its password."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.support.kafka import KafkaServer, java, run
from tests.support.ports import free_ports

USER, PASSWORD = "collector", "a secret, with = and ; in it"
DOOR = """
listeners=PLAINTEXT://127.0.0.1:{place.port},CONTROLLER://127.0.0.1:{place.controller_port},SASL_SSL://127.0.0.1:{port}
advertised.listeners=PLAINTEXT://127.0.0.1:{place.port},SASL_SSL://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={directory}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={directory}/ca.pem
listener.name.sasl_ssl.ssl.client.auth=required
"""


class SecureKafkaServer(KafkaServer):
    """`secure` is the door's address; `ca`, `cert` and `key` are files a client needs."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        (self.port,) = free_ports(1)
        self.secure = f"127.0.0.1:{self.port}"
        self.ca, self.cert, self.key = (directory / name for name in ("ca.pem", "client.pem", "client.key"))
        directory.mkdir(parents=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca)
        ours = authority.issue_cert("collector")
        ours.private_key_pem.write_to_path(self.key)
        ours.cert_chain_pems[0].write_to_path(self.cert)
        brokers = authority.issue_cert("127.0.0.1")
        (directory / "broker.pem").write_bytes(pkcs8(brokers.private_key_pem) + brokers.cert_chain_pems[0].bytes())

    def add_scram_user(self, mechanism: str) -> None:
        command = [*java("kafka.admin.ConfigCommand", heap="96m"), "--bootstrap-server", self.bootstrap, "--alter"]
        run(
            [*command, "--entity-type", "users", "--entity-name", USER, "--add-config", f"{mechanism}=[password=scram]"]
        )

    def _settings(self) -> str:
        kept = [line for line in super()._settings().splitlines() if not line.startswith(("listener", "advertised"))]
        door = DOOR.format(place=self.place, port=self.port, directory=self.directory, user=USER, password=PASSWORD)
        return "\n".join(kept) + door


def pkcs8(key: trustme.Blob) -> bytes:
    """The one form of a private key that Kafka reads."""
    loaded = load_pem_private_key(key.bytes(), None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
