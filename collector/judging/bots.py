"""Whether a request is a program's and not a person's: rules with names, of which the first that holds is the event's
`botrule`. It tags, and decides nothing: each destination says what it doesn't get (`filter_bots`).

Texts are looked for, no patterns, in at most the User-Agent's first 512 characters, and what was found for a User-Agent
is remembered: so one that was made to be slow is not, and most calls cost a look into a dictionary.
"""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from collector.bot_rules import BotRuleSettings, BotSettings

_LONGEST: Final = 512  # characters of a User-Agent; a browser's has about 120
_REMEMBERED: Final = 4096  # User-Agents, and addresses, of a worker
# A page that was fetched before anybody asked for it says so: Fetch's `Sec-Purpose`; older browsers by the others.
_AHEAD: Final = frozenset(("sec-purpose", "purpose", "x-purpose", "x-moz"))
_WORDS: Final = ("prefetch", "prerender", "preview")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Rule(NamedTuple):
    """Empty `agents`, `networks` or `keys`: any. `ahead`: the headers must say that it is fetched ahead."""

    name: str
    agents: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    networks: tuple[_Network, ...] = ()
    keys: frozenset[str] = frozenset()
    surfaces: frozenset[str] = frozenset(("web", "mobile"))
    ahead: bool = False

    def takes(self, agent: str) -> bool:
        """`agent`: as `bounded` gives it."""
        if self.agents and not any(text in agent for text in self.agents):
            return False
        return not any(text in agent for text in self.unless)


class Bots:
    """One state of the settings; a reload makes another."""

    def __init__(self, settings: BotSettings) -> None:
        self.rules = tuple(rule_of(name, rule) for name, rule in settings.active().items())
        self._candidates = lru_cache(maxsize=_REMEMBERED)(self._find)
        self._is_within = lru_cache(maxsize=_REMEMBERED)(is_within)

    def rule(self, surface: str, key: str, client: str, headers: Mapping[str, str]) -> str | None:
        """The name of the first rule that holds. `surface` is web or mobile, `key` an app key's name."""
        for rule in self._candidates(headers.get("user-agent", "")[:_LONGEST]):
            if (
                (not rule.ahead or is_ahead(headers))
                and surface in rule.surfaces
                and (not rule.keys or key in rule.keys)
                and (not rule.networks or self._is_within(client, rule.networks))
            ):
                return rule.name
        return None

    def _find(self, agent: str) -> tuple[Rule, ...]:
        text = bounded(agent)
        return tuple(rule for rule in self.rules if rule.takes(text))


def rule_of(name: str, settings: BotRuleSettings | None) -> Rule:
    if settings is None:
        return Rule(name, surfaces=frozenset(("web",)), ahead=True)
    return Rule(
        name,
        agents=tuple(map(str.lower, settings.user_agents)),
        unless=tuple(map(str.lower, settings.unless)),
        networks=tuple(ipaddress.ip_network(network, strict=False) for network in settings.networks),
        keys=frozenset(settings.keys),
        surfaces=frozenset(settings.surfaces),
    )


def bounded(agent: str) -> str:
    """A text that begins with `^` or ends with `$` is found at the beginning or the end, and only there."""
    return f"^{agent[:_LONGEST].lower()}$"


def is_ahead(headers: Mapping[str, str]) -> bool:
    if _AHEAD.isdisjoint(headers):
        return False  # most often
    return any(word in headers[name] for name in _AHEAD & headers.keys() for word in _WORDS)


def is_within(client: str, networks: tuple[_Network, ...]) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return any(address in network for network in networks)
