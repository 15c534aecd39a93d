"""Access tokens that say themselves when they end: one given before a restart is still good after it."""

import base64
import hmac
from typing import Final

from base.ids import IdSource

YEAR: Final = 31_535_999  # seconds: `expires_in` on Footprints' page


class Tokens:
    def __init__(self, ids: IdSource, secret: str, seconds: int) -> None:
        self._ids = ids
        self._secret = secret
        self.seconds = seconds

    def issue(self, now: float) -> str:
        stem = f"{int(now) + self.seconds:010x}{self._ids.random(8).hex()}"
        return stem + self._signature(stem)

    def holds(self, token: str, now: float) -> bool:
        stem, signature = token[:26], token[26:]
        signed = hmac.compare_digest(signature.encode(), self._signature(stem).encode())
        return signed and int(stem[:10], 16) > now

    def _signature(self, stem: str) -> str:
        return hmac.new(self._secret.encode(), stem.encode(), "sha256").hexdigest()[:36]


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
