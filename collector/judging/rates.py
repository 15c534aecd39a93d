"""Who sends more than the rates allow, by what others don't share (faults.md, "Limits").

The web is counted by address, a phone by key and `mid`, because a mall is one address; a key may have a quota besides.
Above a rate an event is held back as `over_rate`, far above it the request is refused: a phone deletes good events at
any refusal (contracts.md, section 1). Each worker counts what it sees itself, so several let through more.
"""

import ipaddress
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from base.reasons import Refusal
from collector.calls import Call
from collector.errors import Refused
from collector.judging.keys import AppKey
from collector.settings import RateSettings

_MOST: Final = 16_384  # names of a generation; a phone's is as long as two ids
_QUOTA_SECONDS: Final = 4.0  # a quota's burst is so many seconds' worth, as the web's
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")


class Buckets:
    """Token buckets by name: `rate` tokens a second, at most `burst`. `largest`: what is ever taken at once.

    A bucket is the moment at which it will be full. Once that has passed it says nothing, so names are forgotten by the
    generation: who rests for longer than any bucket takes to fill, and, of more than _MOST, who has rested longest.
    """

    def __init__(self, rate: float, burst: float, largest: int = 1) -> None:
        self._token = 1.0 / rate  # the seconds it takes
        self._room = (burst - 0.999) / rate  # a token less, but for what sums of floats leave out
        self._age = (burst + largest) / rate
        self._recent: dict[str, float] = {}
        self._older: dict[str, float] = {}
        self._turns = 0.0

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def take(self, name: str, now: float, count: int = 1) -> bool:
        """False: there is none left, and none was taken. One token is enough to take `count`: the rest is owed."""
        full = self._recent.get(name)
        if full is None:
            full = self._older.get(name, now)
            self._make_room(now)
        if full > now + self._room:
            self._recent[name] = full  # who goes on asking is not forgotten
            return False
        self._recent[name] = max(full, now) + count * self._token
        return True

    def _make_room(self, now: float) -> None:
        if now >= self._turns or len(self._recent) >= _MOST:
            self._older, self._recent = self._recent, {}
            self._turns = now + self._age


class _Rate:
    """A soft rate, and a hard one `factor` times as high: what the first does not take is counted towards the second."""

    def __init__(self, rate: float, burst: float, factor: float, largest: int) -> None:
        self._soft = Buckets(rate, burst, largest)
        self._excess = Buckets(rate * (factor - 1), burst * (factor - 1), largest)

    def over(self, name: str, now: float, count: int) -> bool:
        """Refused above the hard one."""
        if self._soft.take(name, now, count):
            return False
        if self._excess.take(name, now, count):
            return True
        raise Refused(Refusal.RATE)


class Rates:
    """`dev`: loopback is not counted. `largest`: events of a batch."""

    def __init__(self, settings: RateSettings, largest: int, monotonic: Callable[[], float], *, dev: bool) -> None:
        self._settings = settings
        self._largest = largest
        self._monotonic = monotonic
        self._web = self._rate(settings.web_per_second, settings.web_burst)
        self._mobile = self._rate(settings.mobile_per_second, settings.mobile_burst)
        self._quotas: dict[tuple[str, float], _Rate] = {}
        self._strangers = Buckets(settings.bad_keys_per_minute / 60, settings.bad_keys_per_minute)
        spared = (*settings.unlimited, *_LOOPBACK) if dev else settings.unlimited
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in spared)
        self._host = lru_cache(maxsize=4096)(self._find_host)

    def over(self, call: Call, key: AppKey, client: str, fields: Mapping[str, Any]) -> bool:
        """Whether a request's events are to be held back. Refused with 429 far above a rate. `client`: its address."""
        host = self._host(client)
        if host is None:
            return False
        now, events = self._monotonic(), 1
        if call.kind == "batch" and isinstance(fields.get("events"), list):
            events = max(1, min(len(fields["events"]), self._largest))
        over = False
        if call.surface == "web":
            over = bool(host) and self._web.over(host, now, events)
        elif mid := _mid(fields):
            over = self._mobile.over(f"{key.name} {mid}", now, events)
        return over if key.quota is None else self._quota(key.name, key.quota).over("", now, events) or over

    def stranger(self, client: str) -> Refusal:
        """What one is refused for whose app key nobody has. Who has a key is served beside it, at the same address."""
        host = self._host(client)
        if not host or self._strangers.take(host, self._monotonic()):
            return Refusal.UNKNOWN_KEY
        return Refusal.BAD_KEYS

    def _quota(self, name: str, rate: float) -> _Rate:
        """A reload may change it."""
        quota = self._quotas.get((name, rate))
        if quota is None:
            quota = self._quotas[name, rate] = self._rate(rate, max(1.0, rate * _QUOTA_SECONDS))
        return quota

    def _rate(self, rate: float, burst: float) -> _Rate:
        return _Rate(rate, burst, self._settings.refuse_at, self._largest)

    def _find_host(self, client: str) -> str | None:
        """Of IPv6 the network, which is one house; None: not counted. Empty: nobody knows (a Unix socket)."""
        if not self._networks and ":" not in client:
            return client
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return ""
        if any(address in network for network in self._networks):
            return None
        return client if address.version == 4 else address.exploded[:19]


def _mid(fields: Mapping[str, Any]) -> str:
    """Of a batch the first event's: one phone sends it. Empty at an init, which has none yet."""
    mid = fields.get("mid")
    if mid is None and isinstance(events := fields.get("events"), list) and events and isinstance(events[0], dict):
        mid = events[0].get("mid")
    return mid[:128] if isinstance(mid, str) else ""
