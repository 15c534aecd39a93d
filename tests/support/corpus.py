"""The recorded requests: the vendor's 24 samples, and a session of its official SDK; sent as their clients send them."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import orjson

from scripts import extract_corpus

CORPUS = Path(__file__).parents[1] / "corpus"
# By a vendor's sample without its language, ids left out.
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "web-init": {"status": "ok", "success": True, "uid": "<id>"},  # all four samples carry an e-mail
    "web-send": {},
    "mobile-init": {"status": "ok", "success": True, "mobileId": "<id>"},
    "mobile-send": {"success": True, "message": "Track saved"},
    "mobile-sensors": {"success": True},
    "mobile-geo": {"success": True},
}


class Sample(extract_corpus.Sample):
    """A recorded request that can be sent."""

    def with_mid(self, mid: str) -> Self:
        """The same, with the id that an init before it was answered."""
        return replace(self, body=self.body.replace("{{mid}}", mid))

    def wire(self, host: str) -> bytes:
        """The request's bytes for `{{base_url}}` = host."""
        body = self.body.encode()
        if self.chunked:
            framing, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            framing = f"Content-Length: {len(body)}"
        headers = [*(f"{name}: {value}" for name, value in self.headers.items()), f"Host: {host}", framing]
        return "\r\n".join([f"{self.method} {self.path} HTTP/1.1", *headers, "", ""]).encode() + body


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes

    def json(self) -> object:
        return orjson.loads(self.body)


def vendor_samples() -> list[Sample]:
    """Six calls in Ruby, PHP, curl and Node."""
    return _load(CORPUS)


def sdk_session() -> list[Sample]:
    """One phone's session in its order, then another phone's first call. `{{mid}}` is what the init was answered."""
    return _load(CORPUS / "sdk")


def send(sample: Sample, host: str, port: int, timeout: float = 30.0) -> Reply:
    """Sends it over a connection of its own and waits for the answer; `timeout` in seconds."""
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(sample.wire(f"{host}:{port}"))
        response = http.client.HTTPResponse(connection, method=sample.method)
        try:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            response.close()


def _load(directory: Path) -> list[Sample]:
    return [Sample(**json.loads(path.read_text())) for path in sorted(directory.glob("*.json"))]
