"""EngageLab's three calls as they go on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from forwarder.destinations.bodies import Encoded, json_list
from forwarder.destinations.engagelab.settings import EngageLabSettings
from forwarder.destinations.tokens import basic
from forwarder.transport import Request

MAX_IDENTITIES: Final = 100  # in a register
MAX_BYTES: Final = 1024 * 1024  # of the events in a report


class Requests:
    def __init__(self, settings: EngageLabSettings) -> None:
        auth = basic(settings.api_key.get_secret_value(), settings.api_secret.get_secret_value())
        self._headers = {"Content-Type": "application/json", "Authorization": auth}
        self._base_url = settings.base_url
        app_key = orjson.dumps({"app_key": settings.app_key})[1:-1] + b"," if settings.app_key else b""
        self._before_data = b"{" + app_key + b'"data":'

    def register(self, name: str, values: Sequence[str]) -> Request:
        return self._json("/v1/user/register", {"identity_name": name, "identity_values": list(values)})

    def contact(self, euid: int, contacts: Mapping[str, str]) -> Request:
        return self._json("/v1/user/contact", {"euid": euid, "contacts": dict(contacts)})

    def report(self, batch: Sequence[Encoded]) -> Request:
        body = self._before_data + json_list(batch) + b"}"
        return Request("POST", f"{self._base_url}/v1/event/report", self._headers, body)

    def _json(self, path: str, told: Mapping[str, Any]) -> Request:
        return Request("POST", f"{self._base_url}{path}", self._headers, orjson.dumps(told))
