"""App keys: public, in every page. They say whose event it is, and keep nobody out who wants in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from collector.judging.privacy import Privacy
from collector.settings import KeySettings, PrivacySettings


@dataclass(frozen=True, slots=True)
class AppKey:
    name: str
    tenant: str
    origins: frozenset[str]  # empty: any
    surfaces: frozenset[str]
    quota: float | None = None  # events a second
    privacy: Privacy | None = None  # none: everything is kept


class Keys(Protocol):
    def find(self, value: str) -> AppKey | None: ...

    def origins(self) -> frozenset[str] | None:
        """The union of all keys' origins, for preflights, which carry no key; None: some key allows any."""
        ...


class KeyRing:
    """One state of the settings; a reload makes another (collector/reload.py swaps them)."""

    def __init__(self, keys: Mapping[str, KeySettings]) -> None:
        self._by_value = {
            value: each
            for each, values in ((_key(name, key), key.values) for name, key in keys.items())
            for value in values
        }

    def find(self, value: str) -> AppKey | None:
        return self._by_value.get(value)

    def origins(self) -> frozenset[str] | None:
        allowed = [key.origins for key in self._by_value.values()]
        return None if not all(allowed) else frozenset().union(*allowed)


def _key(name: str, key: KeySettings) -> AppKey:
    told = key.privacy
    privacy = None if told == PrivacySettings() else Privacy(told.address, told.personal)
    return AppKey(name, key.tenant, frozenset(key.origins), frozenset(key.surfaces), key.quota, privacy)
