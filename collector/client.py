"""Whose address a request came from, when proxies stand between."""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_networks(values: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(value, strict=False) for value in values)


def client_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The nearest address that is no proxy of ours: X-Forwarded-For read from the right, as far as it can be trusted.

    What stands left of that anybody may have written. Something that is no address ends the walk.
    """
    if not trusted or not forwarded_for:
        return peer.removeprefix("::ffff:")
    current = _parse(peer)
    if current is None:
        return peer
    hops = forwarded_for.split(",")
    while hops and _is_in(current, trusted):
        hop = _parse(hops.pop())
        if hop is None:
            break
        current = hop
    return str(current)


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    """With or without a port or brackets; an IPv4 address that came over IPv6 is the IPv4 address."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
