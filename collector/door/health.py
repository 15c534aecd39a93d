"""What a load balancer asks: is this process alive, and may it be given work?"""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import asdict

from eventlog.log import LogState

_VERDICTS: Final = {"ok": "ready", "degraded": "degraded", "down": "down"}


class Health:
    """`draining` says yes from the signal to end on."""

    def __init__(self, log: Callable[[], LogState], draining: Callable[[], bool]) -> None:
        self._log = log
        self._draining = draining

    def ready(self) -> tuple[int, dict[str, Any]]:
        """HTTP status and body. A degraded log still makes events durable: no reason to send them elsewhere."""
        verdict = "draining" if self._draining() else _VERDICTS[self._log().status]
        return (503 if verdict in ("draining", "down") else 200), {"status": verdict}

    def detail(self) -> tuple[int, dict[str, Any]]:
        """With why, for the admin address: it names brokers and paths."""
        status, told = self.ready()
        return status, {**told, "log": asdict(self._log())}
